// Where libcoap differs between systems: addresses, waiting, receiving. coap_platform_posix.cc or
// coap_platform_lwip.cc.
#pragma once

#include <coap3/coap.h>

#include <cstdint>

#include "skep/transport_coap/coap_client.h"

namespace skep::transport {

/// False if the endpoint's address is of no kind that this build knows.
bool make_address(const CoapEndpoint& endpoint, coap_address_t& address);

/// What a new context needs besides.
void prepare_context(coap_context_t* context);

/// Does what is due; milliseconds until more is, 0 if nothing will be.
unsigned do_due_work(coap_context_t* context);

/// A descriptor that is readable when something arrived; −1 where there are none.
int wait_descriptor(coap_context_t* context);

}  // namespace skep::transport
