// How many devices may come to the gateway from one address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>

#include "peer_address.h"
#include "service_limits.h"

namespace skep::app {

/// A registration is the first time that a device is seen at an address. Registrations of an
/// address are bounded in a minute (a sliding window over the times of the last ones: exact, at no
/// moment more than the limit within 60 s) and in number (devices that were last seen less than
/// kRememberS ago).
///
/// Times are seconds of any clock that does not go back. Memory: kMaxAddresses addresses, each with
/// as many times and names as its limits say; the address that was quiet for the longest makes room
/// for a new one. Only devices with a verified certificate get so far that they are counted here.
/// Not thread-safe.
class RegistrationLimit {
 public:
  static constexpr std::int64_t kWindowS = 60;
  static constexpr std::int64_t kRememberS = 86'400;
  static constexpr std::size_t kMaxAddresses = 4'096;
  /// The longest time that anybody is told to wait.
  static constexpr std::uint32_t kMaxRetryAfterS = 3'600;

  explicit RegistrationLimit(const Limits& limits) : limits_(limits) {}

  /// 0 if the device may go on: it was seen there before, or is registered now. Otherwise in how
  /// many seconds it is worth its while to ask again. A `known` device, which took part before, has
  /// nothing to wait for in the window: a restarted gateway gets its devices back at once.
  [[nodiscard]] std::uint32_t admit(const PeerAddress& address, const std::string& device,
                                    bool known, std::int64_t now_s);

  [[nodiscard]] std::size_t addresses() const { return addresses_.size(); }

 private:
  struct Address {
    std::deque<std::int64_t> recent;              ///< Registrations of the last kWindowS.
    std::map<std::string, std::int64_t> seen;     ///< When each device was here last.
    std::list<PeerAddress>::iterator position{};  ///< In order_.
  };

  Address& touch(const PeerAddress& address);
  [[nodiscard]] std::uint32_t wait_for_window(Address& at, std::int64_t now_s) const;
  [[nodiscard]] std::uint32_t wait_for_room(Address& at, std::int64_t now_s) const;

  Limits limits_;
  std::map<PeerAddress, Address> addresses_;
  std::list<PeerAddress> order_;  ///< Quiet for the longest first.
};

}  // namespace skep::app
