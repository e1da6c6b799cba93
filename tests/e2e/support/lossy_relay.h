// A bad network between devices and the gateway.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

namespace skep::e2e {

/// Probabilities for each datagram, each way, in [0, 1].
struct Impairment {
  double loss = 0.0;
  double duplication = 0.0;
  double delay = 0.0;  ///< Held back for up to `longest_delay_ms`, so that others overtake it.
  std::uint32_t longest_delay_ms = 100;
};

struct RelayCounters {
  std::uint64_t forwarded = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t overtaken = 0;  ///< Delivered after a datagram that came later.
};

/// Forwards UDP datagrams between any number of clients on 127.0.0.1 and one server there, from a
/// thread of its own, until it is destroyed.
class LossyRelay {
 public:
  /// `seed` fixes the fate of the n-th datagram that the relay hears.
  /// Throws std::system_error if there is no socket to be had.
  LossyRelay(std::uint16_t server_port, const Impairment& impairment, std::uint32_t seed);
  ~LossyRelay();
  LossyRelay(const LossyRelay&) = delete;
  LossyRelay& operator=(const LossyRelay&) = delete;

  /// Where the clients have to send to.
  [[nodiscard]] std::uint16_t port() const;

  /// Ends the relay's thread, and says what happened. Throws what ended the thread early.
  RelayCounters stop();

 private:
  class Worker;

  std::unique_ptr<Worker> worker_;
  std::atomic<bool> stopping_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace skep::e2e
