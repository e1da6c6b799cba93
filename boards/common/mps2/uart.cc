// CMSDK UART: the console.
#include <cstdint>
#include <string_view>

#include "board_map.h"
#include "mps2.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kData = kUart + 0x00;
constexpr std::uint32_t kState = kUart + 0x04;
constexpr std::uint32_t kControl = kUart + 0x08;
constexpr std::uint32_t kBaudDivider = kUart + 0x10;
constexpr std::uint32_t kTransmitterFull = 1U << 0U;
constexpr std::uint32_t kTransmitterEnable = 1U << 0U;
constexpr std::uint32_t kBaud = 115'200;

}  // namespace

void start_uart() {
  reg(kBaudDivider) = kCoreHertz / kBaud;
  reg(kControl) = kTransmitterEnable;
}

void write(std::string_view text) {
  for (const char character : text) {
    while ((reg(kState) & kTransmitterFull) != 0) {
    }
    reg(kData) = static_cast<std::uint8_t>(character);
  }
}

}  // namespace skep::board
