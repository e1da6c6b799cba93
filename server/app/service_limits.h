// What one peer, and all of them together, may take of the gateway.
#pragma once

#include <cstdint>

namespace skep::app {

/// Section [limits] of skepd.toml. An address is a PeerAddress; 0 = no limit, where allowed.
struct Limits {
  std::uint32_t registrations_per_minute = 10;  ///< Of devices new at an address; 0 … 10,000.
  std::uint32_t devices_per_address = 1'024;    ///< 0 … 65,536.
  std::uint32_t requests_per_minute = 6'000;    ///< Of a device; 0 … 1,000,000.
  std::uint32_t handshakes = 256;               ///< Under way at a time; 1 … 65,536.
  std::uint32_t handshakes_per_address = 128;   ///< The same, and those that failed lately.
  std::uint32_t handshake_timeout_s = 60;       ///< 1 … 300.
  std::uint32_t sessions = 4'096;               ///< With those under way; 1 … 1,000,000.
  std::uint32_t sessions_per_address = 2'048;   ///< The same; 1 … 1,000,000.
};

}  // namespace skep::app
