// SMSC LAN9118, the Ethernet controller of the MPS2 boards (data sheet LAN9118, revision 1.5).
#pragma once

#include "skep/port_baremetal/ethernet.h"

namespace skep::board {

/// Polled, no interrupts, no DMA. No memory but that of the controller (16 KB).
class Lan9118 final : public port_baremetal::Ethernet {
 public:
  Status start() override;
  [[nodiscard]] Address address() const override;
  [[nodiscard]] std::size_t next_frame_bytes() override;
  void read_frame(MutableBytes out) override;
  Status write_frame(Bytes frame) override;

 private:
  std::uint32_t announced_bytes_ = 0;  // with checksum; 0: no frame's status was taken
};

}  // namespace skep::board
