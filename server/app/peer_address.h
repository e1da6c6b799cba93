// Whom a limit for each address is meant for.
#pragma once

#include <coap3/coap.h>

#include <array>
#include <cstdint>

namespace skep::app {

/// An IPv4 address (as ::ffff:a.b.c.d), or the /64 of an IPv6 one: a network's customer gets at
/// least that many addresses (RFC 6177), so the rest of it names nobody. The port is left out.
using PeerAddress = std::array<std::uint8_t, 16>;

[[nodiscard]] PeerAddress peer_address(const coap_address_t& address);

}  // namespace skep::app
