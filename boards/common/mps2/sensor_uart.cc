// CMSDK UART: the sensor's line. The UART holds one byte, so an interrupt puts each into a ring.
#include <array>
#include <cstdint>

#include "board_map.h"
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

constexpr std::uint32_t kRingBytes = 256;  // a power of two
std::array<volatile std::uint8_t, kRingBytes> ring;
volatile std::uint32_t ring_written = 0;  // by the interrupt handler only, as what follows
volatile std::uint32_t overruns_seen = 0;
volatile std::uint32_t ring_read = 0;  // by read() only

void count_overrun() { overruns_seen = overruns_seen + 1; }

class SensorUart final : public port_baremetal::SensorLine {
 public:
  Status start() override {
    reg(kBaudDivider) = kCoreHertz / kBaud;
    reg(kControl) = kReceiveEnable | kReceiveInterrupt;
    enable_interrupt(kSensorInterrupt);
    return Status::kOk;
  }

  [[nodiscard]] std::size_t read(MutableBytes out) override {
    std::size_t count = 0;
    while (count < out.size() && ring_read != ring_written) {
      out[count++] = ring[ring_read % kRingBytes];
      ring_read = ring_read + 1;
    }
    return count;
  }

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
  const auto byte = static_cast<std::uint8_t>(reg(kData));
  if (ring_written - ring_read == kRingBytes) {
    count_overrun();
    return;
  }
  ring[ring_written % kRingBytes] = byte;
  ring_written = ring_written + 1;
}

port_baremetal::SensorLine& sensor_line() {
  static SensorUart line;
  return line;
}

}  // namespace skep::board
