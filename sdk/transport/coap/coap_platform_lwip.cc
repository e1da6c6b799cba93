#include <array>

#include "coap_platform.h"
#include "skep/transport_coap/lwip_input.h"

namespace skep::transport {

bool make_address(const CoapEndpoint& endpoint, coap_address_t& address) {
  coap_address_init(&address);
  const Bytes ip = endpoint.gateway_ip;
  if (ip.size() != 4) return false;  // IPv4 only: ports/baremetal/net/config/lwipopts.h
  IP_ADDR4(&address.addr, ip[0], ip[1], ip[2], ip[3]);
  coap_address_set_port(&address, endpoint.gateway_port);
  return true;
}

void prepare_context(coap_context_t* context) {
  coap_lwip_set_input_wait_handler(context, &skep_lwip_receive, nullptr);
}

unsigned do_due_work(coap_context_t* context) {
  coap_tick_t now = 0;
  coap_ticks(&now);
  unsigned socket_count = 0;
  return coap_io_prepare_io(context, nullptr, 0, &socket_count, now);
}

int wait_descriptor(coap_context_t* /*context*/) { return -1; }

}  // namespace skep::transport
