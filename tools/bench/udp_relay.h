// Stands between one device and the gateway, and counts what passes as the network sees it.
#pragma once

#include <cstdint>
#include <vector>

#include "session.h"
#include "skep/udp/loopback_socket.h"

namespace skep::bench {

/// One direction.
struct Traffic {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;  ///< UDP payload, without IP and UDP headers.
  /// DTLS records of application data, those with a connection ID left out: with it, the type of
  /// a record is encrypted (RFC 9146).
  std::uint64_t data_records = 0;
};

/// 127.0.0.1 only; one client. Not thread-safe; never blocks.
class UdpRelay {
 public:
  /// Throws std::system_error.
  explicit UdpRelay(LoopbackPort gateway);
  UdpRelay(const UdpRelay&) = delete;
  UdpRelay& operator=(const UdpRelay&) = delete;

  /// Where the device has to send to.
  [[nodiscard]] LoopbackPort port() const { return port_; }

  /// Forwards everything that waits, both ways.
  void poll();
  [[nodiscard]] Helper helper();

  /// Since the relay was made.
  [[nodiscard]] const Traffic& up() const { return up_; }
  [[nodiscard]] const Traffic& down() const { return down_; }

  /// What the gateway chose in its ServerHello; 0 before.
  [[nodiscard]] std::uint16_t cipher_suite() const { return cipher_suite_; }

 private:
  udp::LoopbackSocket device_side_;  // bound; connected to the device once it was heard
  udp::LoopbackSocket gateway_side_;
  LoopbackPort port_;
  std::vector<std::uint8_t> buffer_;
  bool device_known_ = false;
  std::uint16_t cipher_suite_ = 0;
  Traffic up_;
  Traffic down_;
};

}  // namespace skep::bench
