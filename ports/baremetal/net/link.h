// The link below lwIP: link_ethernet.cc or link_serial.cc, as the board has it.
#pragma once

#include <lwip/netif.h>

#include "skep/status.h"

namespace skep::port_baremetal {

/// Switches the hardware on. Errors: kUnreachable if it does not answer.
Status start_link();

/// lwIP's init function of a netif on this link.
err_t set_up_link(netif* added);

/// Gives lwIP what has arrived, without waiting, and not more at once than the device can spare.
void receive_from_link(netif& interface);

}  // namespace skep::port_baremetal
