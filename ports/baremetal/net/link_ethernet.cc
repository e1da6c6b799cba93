// lwIP on the board's Ethernet controller.
#include <lwip/etharp.h>

#include <algorithm>

#include "link.h"
#include "skep/port_baremetal/ethernet.h"

namespace skep::port_baremetal {
namespace {

constexpr std::size_t kWord = 4;
constexpr std::size_t kMtu = 1500;

err_t write_frame(const pbuf* frame) {
  if (frame->len > Ethernet::kFrameBytes) return ERR_BUF;
  const Bytes bytes(static_cast<const std::uint8_t*>(frame->payload), frame->len);
  return board::ethernet().write_frame(bytes) == Status::kOk ? ERR_OK : ERR_MEM;
}

err_t send_frame(netif* /*interface*/, pbuf* frame) {
  if (frame->next == nullptr) return write_frame(frame);
  pbuf* whole = pbuf_clone(PBUF_RAW, PBUF_RAM, frame);
  if (whole == nullptr) return ERR_MEM;
  const err_t result = write_frame(whole);
  pbuf_free(whole);
  return result;
}

// The next frame into lwIP; without a buffer for it, it is as if it were lost on the wire.
void receive_frame(netif& interface, std::size_t frame_bytes) {
  const std::size_t padded_bytes = (frame_bytes + kWord - 1) / kWord * kWord;
  pbuf* frame = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(padded_bytes), PBUF_POOL);
  if (frame == nullptr || frame->len != padded_bytes) {
    board::ethernet().read_frame({});
    if (frame != nullptr) pbuf_free(frame);
    return;
  }
  board::ethernet().read_frame({static_cast<std::uint8_t*>(frame->payload), padded_bytes});
  pbuf_realloc(frame, static_cast<u16_t>(frame_bytes));
  if (interface.input(frame, &interface) != ERR_OK) pbuf_free(frame);
}

}  // namespace

Status start_link() { return board::ethernet().start(); }

err_t set_up_link(netif* added) {
  const Ethernet::Address address = board::ethernet().address();
  std::copy(address.begin(), address.end(), added->hwaddr);
  added->hwaddr_len = static_cast<u8_t>(address.size());
  added->mtu = kMtu;
  added->name[0] = 'e';
  added->name[1] = 'n';
  added->output = etharp_output;
  added->linkoutput = send_frame;
  added->flags =
      NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
  return ERR_OK;
}

// One pass over what is there now: a flood must not keep the device from its work.
void receive_from_link(netif& interface) {
  constexpr int kFramesAtOnce = 8;
  for (int i = 0; i < kFramesAtOnce; ++i) {
    const std::size_t frame_bytes = board::ethernet().next_frame_bytes();
    if (frame_bytes == 0) break;
    receive_frame(interface, frame_bytes);
  }
}

}  // namespace skep::port_baremetal
