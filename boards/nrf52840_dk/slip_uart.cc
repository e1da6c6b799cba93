// UART0 for SLIP: interrupts put what arrives into a ring. (The UART without DMA, because of the
// DMA's fixed lengths: nobody knows how long a datagram will be.)
#include <cstdint>

#include "board_map.h"
#include "receive_ring.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/serial_link.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kStartReceive = kUart0 + 0x000;
constexpr std::uint32_t kStartTransmit = kUart0 + 0x008;
constexpr std::uint32_t kReceived = kUart0 + 0x108;
constexpr std::uint32_t kTransmitted = kUart0 + 0x11C;
constexpr std::uint32_t kInterruptEnable = kUart0 + 0x304;
constexpr std::uint32_t kEnable = kUart0 + 0x500;
constexpr std::uint32_t kTransmitPin = kUart0 + 0x50C;
constexpr std::uint32_t kReceivePin = kUart0 + 0x514;
constexpr std::uint32_t kReceiveData = kUart0 + 0x518;
constexpr std::uint32_t kTransmitData = kUart0 + 0x51C;
constexpr std::uint32_t kBaudRate = kUart0 + 0x524;
constexpr std::uint32_t kEnabled = 4;
constexpr std::uint32_t k115200 = 0x01D7E000;
constexpr std::uint32_t kReceivedInterrupt = 1U << 2U;

ReceiveRing<2048> ring;

class SlipUart final : public port_baremetal::SerialLink {
 public:
  Status start() override {
    reg(kTransmitPin) = kPinSlipTransmit;
    reg(kReceivePin) = kPinSlipReceive;
    reg(kBaudRate) = k115200;
    reg(kEnable) = kEnabled;
    reg(kInterruptEnable) = kReceivedInterrupt;
    enable_interrupt(kUart0Interrupt);
    reg(kStartReceive) = 1;
    reg(kStartTransmit) = 1;
    return Status::kOk;
  }

  [[nodiscard]] std::size_t read(MutableBytes out) override { return ring.take(out); }

  void write(std::uint8_t byte) override {
    reg(kTransmitted) = 0;
    reg(kTransmitData) = byte;
    while (reg(kTransmitted) == 0) {
    }
  }
};

}  // namespace

extern "C" void uart0_handler() {
  reg(kReceived) = 0;
  ring.put(static_cast<std::uint8_t>(reg(kReceiveData)));
}

port_baremetal::SerialLink& serial_link() {
  static SlipUart link;
  return link;
}

}  // namespace skep::board
