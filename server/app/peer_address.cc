#include "peer_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace skep::app {
namespace {

constexpr std::size_t kPrefixBytes = 8;
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

PeerAddress peer_address(const coap_address_t& address) {
  PeerAddress peer{};
  if (address.addr.sa.sa_family == AF_INET6) {
    const in6_addr& ip = address.addr.sin6.sin6_addr;
    std::memcpy(peer.data(), &ip, IN6_IS_ADDR_V4MAPPED(&ip) ? peer.size() : kPrefixBytes);
  } else {
    std::ranges::copy(kMappedPrefix, peer.begin());
    std::memcpy(peer.data() + kMappedPrefix.size(), &address.addr.sin.sin_addr, sizeof(in_addr));
  }
  return peer;
}

}  // namespace skep::app
