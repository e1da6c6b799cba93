// The console: UARTE1, transmitter only, 115,200 baud. Its DMA reads RAM only, so text passes
// through a small buffer.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "board_map.h"
#include "nrf52840.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kStartTransmit = kUarte1 + 0x008;
constexpr std::uint32_t kTransmitEnded = kUarte1 + 0x120;
constexpr std::uint32_t kEnable = kUarte1 + 0x500;
constexpr std::uint32_t kTransmitPin = kUarte1 + 0x50C;
constexpr std::uint32_t kBaudRate = kUarte1 + 0x524;
constexpr std::uint32_t kTransmitPointer = kUarte1 + 0x544;
constexpr std::uint32_t kTransmitBytes = kUarte1 + 0x548;
constexpr std::uint32_t kEnabled = 8;
constexpr std::uint32_t k115200 = 0x01D60000;

std::array<char, 64> transmit_buffer;

}  // namespace

void start_console() {
  reg(kTransmitPin) = kPinConsole;
  reg(kBaudRate) = k115200;
  reg(kEnable) = kEnabled;
}

void write(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = std::min(text.size(), transmit_buffer.size());
    std::copy_n(text.begin(), length, transmit_buffer.begin());
    reg(kTransmitPointer) = reinterpret_cast<std::uint32_t>(transmit_buffer.data());
    reg(kTransmitBytes) = length;
    reg(kTransmitEnded) = 0;
    memory_barrier();
    reg(kStartTransmit) = 1;
    while (reg(kTransmitEnded) == 0) {
    }
    text.remove_prefix(length);
  }
}

}  // namespace skep::board
