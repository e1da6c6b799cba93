// Integers in bytes, least significant first, whatever the CPU's order and alignment.
#pragma once

#include <cstdint>

namespace skep {

constexpr void store_u16(std::uint8_t* out, std::uint16_t value) {
  out[0] = static_cast<std::uint8_t>(value & 0xFFU);
  out[1] = static_cast<std::uint8_t>(value >> 8U);
}

constexpr void store_u32(std::uint8_t* out, std::uint32_t value) {
  store_u16(out, static_cast<std::uint16_t>(value & 0xFFFFU));
  store_u16(out + 2, static_cast<std::uint16_t>(value >> 16U));
}

[[nodiscard]] constexpr std::uint16_t load_u16(const std::uint8_t* in) {
  return static_cast<std::uint16_t>(in[0] | (in[1] << 8U));
}

[[nodiscard]] constexpr std::uint32_t load_u32(const std::uint8_t* in) {
  return static_cast<std::uint32_t>(load_u16(in)) |
         (static_cast<std::uint32_t>(load_u16(in + 2)) << 16U);
}

}  // namespace skep
