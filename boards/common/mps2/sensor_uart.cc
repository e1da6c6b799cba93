// CMSDK UART: the sensor's line. The UART holds one byte, so an interrupt puts each into a ring.
#include <cstdint>

#include "board_map.h"
#include "receive_ring.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/sensor_line.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kData = kSensorUart + 0x00;
constexpr std::uint32_t kState = kSensorUart + 0x04;
constexpr std::uint32_t kControl = kSensorUart + 0x08;
constexpr std::uint32_t kInterruptClear = kSensorUart + 0x0C;
constexpr std::uint32_t kBaudDivider = kSensorUart + 0x10;
constexpr std::uint32_t kReceived = 1U << 1U;          // of kState
constexpr std::uint32_t kReceiveOverrun = 1U << 3U;    // of kState
constexpr std::uint32_t kReceiveEnable = 1U << 1U;     // of kControl
constexpr std::uint32_t kReceiveInterrupt = 1U << 3U;  // of kControl
constexpr std::uint32_t kClearReceived = 1U << 1U;     // of kInterruptClear
constexpr std::uint32_t kBaud = 115'200;

ReceiveRing<256> ring;
volatile std::uint32_t overruns_seen = 0;  // written by the interrupt handler only

void count_overrun() { overruns_seen = overruns_seen + 1; }

class SensorUart final : public port_baremetal::SensorLine {
 public:
  Status start() override {
    reg(kBaudDivider) = kCoreHertz / kBaud;
    reg(kControl) = kReceiveEnable | kReceiveInterrupt;
    enable_interrupt(kSensorInterrupt);
    return Status::kOk;
  }

  [[nodiscard]] std::size_t read(MutableBytes out) override { return ring.take(out); }

  [[nodiscard]] std::uint32_t overruns() const override { return overruns_seen; }
};

}  // namespace

// The request is cleared before the byte is taken: a byte that comes in between makes a new one.
extern "C" void sensor_uart_handler() {
  reg(kInterruptClear) = kClearReceived;
  const std::uint32_t state = reg(kState);
  if ((state & kReceiveOverrun) != 0) {
    reg(kState) = kReceiveOverrun;
    count_overrun();
  }
  if ((state & kReceived) == 0) return;
  if (!ring.put(static_cast<std::uint8_t>(reg(kData)))) count_overrun();
}

port_baremetal::SensorLine& sensor_line() {
  static SensorUart line;
  return line;
}

}  // namespace skep::board
