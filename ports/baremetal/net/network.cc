#include "skep/port_baremetal/network.h"

#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#include "link.h"
#include "skep/port_baremetal/board.h"
#include "skep/transport_coap/lwip_input.h"

namespace skep::port_baremetal {
namespace {

netif interface;

ip4_addr_t to_lwip(const Ipv4Address& address) {
  ip4_addr_t result{};
  IP4_ADDR(&result, address[0], address[1], address[2], address[3]);
  return result;
}

}  // namespace

Status start_network(const NetworkConfig& config) {
  std::uint32_t probe = 0;
  SKEP_TRY(board::fill_entropy({reinterpret_cast<std::uint8_t*>(&probe), sizeof(probe)}));
  SKEP_TRY(start_link());
  lwip_init();
  const ip4_addr_t address = to_lwip(config.address);
  const ip4_addr_t netmask = to_lwip(config.netmask);
  const ip4_addr_t router = to_lwip(config.router);
  netif_add(&interface, &address, &netmask, &router, nullptr, set_up_link, netif_input);
  netif_set_default(&interface);
  netif_set_link_up(&interface);
  netif_set_up(&interface);
  return Status::kOk;
}

}  // namespace skep::port_baremetal

extern "C" {

int skep_lwip_receive(void* /*context*/, std::uint32_t /*timeout_ms*/) {
  skep::port_baremetal::receive_from_link(skep::port_baremetal::interface);
  return 0;
}

// lwIP's clock; wraps after 49 days, which lwIP, libcoap and the timer below take into account.
u32_t sys_now(void) {
  return static_cast<u32_t>(skep::board::ticks() * 1000U / skep::board::ticks_per_second());
}

// start_network() has seen the source work. Should it fail later, ports and ids repeat, but no
// secret depends on them: DTLS has its own generator.
std::uint32_t skep_network_random(void) {
  std::uint32_t value = 0;
  static_cast<void>(
      skep::board::fill_entropy({reinterpret_cast<std::uint8_t*>(&value), sizeof(value)}));
  return value;
}

}  // extern "C"
