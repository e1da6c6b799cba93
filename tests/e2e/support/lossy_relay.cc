#include "lossy_relay.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "skep/udp/loopback_socket.h"

namespace skep::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using udp::LoopbackSocket;
using udp::Port;  // of a client: all are on loopback

constexpr int kTickMs = 5;

}  // namespace

class LossyRelay::Worker {
 public:
  Worker(std::uint16_t server_port, const Impairment& impairment, std::uint32_t seed)
      : server_(server_port), impairment_(impairment), random_(seed), port_(front_.bind()) {}

  [[nodiscard]] Port port() const { return port_; }
  [[nodiscard]] const RelayCounters& counters() const { return counters_; }

  void turn() {
    std::vector<pollfd> readable{{.fd = front_.descriptor(), .events = POLLIN, .revents = 0}};
    for (const auto& [client, back] : backs_) {
      readable.push_back({.fd = back.descriptor(), .events = POLLIN, .revents = 0});
    }
    ::poll(readable.data(), readable.size(), kTickMs);
    hear_clients();
    for (const auto& [client, back] : backs_) hear_server(client, back);
    deliver();
  }

 private:
  // Where a datagram goes: to the server through the client's own socket, or to the client.
  struct Parcel {
    Port client;
    bool to_server;
    std::uint64_t number;
    std::vector<std::uint8_t> content;
  };

  void hear_clients() {
    while (const auto heard = front_.receive(buffer_)) {
      const auto [back, is_new] = backs_.try_emplace(heard->sender);
      if (is_new) back->second.connect(server_);
      accept(heard->sender, true, heard->content);
    }
  }

  // Nothing more, or the server is away: as with a real network.
  void hear_server(Port client, const LoopbackSocket& back) {
    while (const auto heard = back.receive(buffer_)) accept(client, false, heard->content);
  }

  [[nodiscard]] bool happens(double probability) {
    return std::uniform_real_distribution<>(0.0, 1.0)(random_) < probability;
  }

  void accept(Port client, bool to_server, Bytes content) {
    const std::uint64_t number = ++heard_;
    if (happens(impairment_.loss)) {
      ++counters_.lost;
      return;
    }
    const int copies = happens(impairment_.duplication) ? 2 : 1;
    counters_.duplicated += copies == 2 ? 1 : 0;
    for (int copy = 0; copy < copies; ++copy) {
      const std::chrono::milliseconds delay(
          happens(impairment_.delay) ? random_() % (impairment_.longest_delay_ms + 1) : 0);
      under_way_.emplace(Clock::now() + delay,
                         Parcel{client, to_server, number, {content.begin(), content.end()}});
    }
  }

  void deliver() {
    const auto now = Clock::now();
    while (!under_way_.empty() && under_way_.begin()->first <= now) {
      const Parcel parcel = std::move(under_way_.extract(under_way_.begin()).mapped());
      ++counters_.forwarded;
      std::uint64_t& newest = newest_delivered_[{parcel.client, parcel.to_server}];
      counters_.overtaken += parcel.number < newest ? 1 : 0;
      newest = std::max(newest, parcel.number);
      send(parcel);
    }
  }

  // A datagram that cannot be sent (nobody listens any more) is lost.
  void send(const Parcel& parcel) {
    (void)(parcel.to_server ? backs_.at(parcel.client).send(parcel.content)
                            : front_.send_to(parcel.client, parcel.content));
  }

  Port server_;
  Impairment impairment_;
  std::mt19937 random_;
  LoopbackSocket front_;  // what clients send to
  Port port_;
  std::map<Port, LoopbackSocket> backs_;  // one towards the server for each client
  std::multimap<Clock::time_point, Parcel> under_way_;
  std::map<std::pair<Port, bool>, std::uint64_t> newest_delivered_;
  std::uint64_t heard_ = 0;
  RelayCounters counters_;
  std::array<std::uint8_t, LoopbackSocket::kMaxDatagramBytes> buffer_{};
};

LossyRelay::LossyRelay(std::uint16_t server_port, const Impairment& impairment, std::uint32_t seed)
    : worker_(std::make_unique<Worker>(server_port, impairment, seed)), thread_([this] {
        try {
          while (!stopping_) worker_->turn();
        } catch (...) {
          failure_ = std::current_exception();
        }
      }) {}

LossyRelay::~LossyRelay() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::uint16_t LossyRelay::port() const { return worker_->port(); }

RelayCounters LossyRelay::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (failure_) std::rethrow_exception(failure_);
  return worker_->counters();
}

}  // namespace skep::e2e
