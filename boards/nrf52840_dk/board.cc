// nRF52840 DK: start and end.
#include "skep/port_baremetal/board.h"

#include "board_map.h"
#include "nrf52840.h"
#include "registers.h"
#include "skep/port_baremetal/line.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kStartHighFrequencyClock = kClock + 0x000;
constexpr std::uint32_t kHighFrequencyClockStarted = kClock + 0x100;

}  // namespace

const char* name() { return "nrf52840_dk"; }

void start_hardware() {
  // The crystal: the internal oscillator is too far off for a UART.
  reg(kStartHighFrequencyClock) = 1;
  while (reg(kHighFrequencyClockStarted) == 0) {
  }
  start_console();
  start_time();
}

// Firmware has nobody to report to: it says why, and begins again.
void exit(int code) {
  port_baremetal::Line line;
  line.text("exit").field("code", static_cast<std::uint64_t>(code)).end();
  reset();
}

}  // namespace skep::board
