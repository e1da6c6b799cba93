#include <cstring>

#include "coap_platform.h"

namespace skep::transport {

bool make_address(const CoapEndpoint& endpoint, coap_address_t& address) {
  coap_address_init(&address);
  const Bytes ip = endpoint.gateway_ip;
  if (ip.size() == sizeof(address.addr.sin.sin_addr)) {
    std::memcpy(&address.addr.sin.sin_addr, ip.data(), ip.size());
    address.addr.sin.sin_family = AF_INET;
    address.size = sizeof(address.addr.sin);
  } else if (ip.size() == sizeof(address.addr.sin6.sin6_addr)) {
    std::memcpy(&address.addr.sin6.sin6_addr, ip.data(), ip.size());
    address.addr.sin6.sin6_family = AF_INET6;
    address.size = sizeof(address.addr.sin6);
  } else {
    return false;
  }
  coap_address_set_port(&address, endpoint.gateway_port);
  return true;
}

void prepare_context(coap_context_t* /*context*/) {}

unsigned do_due_work(coap_context_t* context) {
  coap_tick_t now = 0;
  coap_ticks(&now);
  return coap_io_prepare_epoll(context, now);
}

int wait_descriptor(coap_context_t* context) { return coap_context_get_coap_fd(context); }

}  // namespace skep::transport
