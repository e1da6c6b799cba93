// The device's IPv4 network: lwIP on the board's Ethernet or serial line.
#pragma once

#include <array>
#include <cstdint>

#include "skep/status.h"

namespace skep::port_baremetal {

using Ipv4Address = std::array<std::uint8_t, 4>;  ///< Network order.

struct NetworkConfig {
  Ipv4Address address;
  Ipv4Address netmask;
  Ipv4Address router;
};

/// Starts link and stack. Called once. libcoap's client then receives in CoapClient::poll()
/// (skep/transport_coap/lwip_input.h).
///
/// Errors: kUnreachable if the hardware does not answer; kNoEntropy if the board's source
/// fails: ports and message ids are random.
Status start_network(const NetworkConfig& config);

}  // namespace skep::port_baremetal
