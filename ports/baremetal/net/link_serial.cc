// lwIP on the board's serial line: lwIP's own SLIP, and the functions that it wants for it.
#include <lwip/sio.h>
#include <netif/slipif.h>

#include "link.h"
#include "skep/port_baremetal/serial_link.h"

namespace skep::port_baremetal {

Status start_link() { return board::serial_link().start(); }

err_t set_up_link(netif* added) { return slipif_init(added); }

// Reads until the line's buffer is empty, which the line fills more slowly.
void receive_from_link(netif& interface) { slipif_poll(&interface); }

}  // namespace skep::port_baremetal

extern "C" {

// There is one line; lwIP only asks whether this is null.
sio_fd_t sio_open(u8_t /*number*/) {
  return reinterpret_cast<sio_fd_t>(&skep::board::serial_link());
}

void sio_send(u8_t byte, sio_fd_t /*line*/) { skep::board::serial_link().write(byte); }

u32_t sio_tryread(sio_fd_t /*line*/, u8_t* out, u32_t size) {
  return static_cast<u32_t>(skep::board::serial_link().read({out, size}));
}

}  // extern "C"
