#include "skep/core/crc32.h"

#include <array>
#include <cstddef>

namespace skep {
namespace {

constexpr std::uint32_t kReversedPolynomial = 0xEDB88320;

// One entry per nibble: a fourth of the speed of a byte table at a sixteenth of its flash.
constexpr std::array<std::uint32_t, 16> make_table() {
  std::array<std::uint32_t, 16> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 4; ++bit) {
      value = (value >> 1U) ^ ((value & 1U) != 0 ? kReversedPolynomial : 0U);
    }
    table[i] = value;
  }
  return table;
}

constexpr auto kTable = make_table();

}  // namespace

std::uint32_t crc32(Bytes data, std::uint32_t crc_so_far) {
  std::uint32_t crc = ~crc_so_far;
  for (const std::uint8_t byte : data) {
    crc ^= byte;
    crc = (crc >> 4U) ^ kTable[crc & 15U];
    crc = (crc >> 4U) ^ kTable[crc & 15U];
  }
  return ~crc;
}

}  // namespace skep
