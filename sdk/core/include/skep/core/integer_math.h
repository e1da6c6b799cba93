// Integer arithmetic with exactly specified rounding: the same on every compiler and CPU.
#pragma once

#include <cstdint>

namespace skep {

/// floor(√value).
[[nodiscard]] constexpr std::uint32_t floor_sqrt(std::uint64_t value) {
  // Digit by digit, base 2: no division, which small cores do in software.
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 62; bit != 0; bit >>= 2) {
    if (value >= root + bit) {
      value -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return static_cast<std::uint32_t>(root);
}

/// ceil(√value): at most 2^32.
[[nodiscard]] constexpr std::uint64_t ceil_sqrt(std::uint64_t value) {
  const std::uint64_t root = floor_sqrt(value);
  return root * root == value ? root : root + 1;
}

/// value / 2^shift to the nearest integer, ties to the even one. 0 ≤ shift ≤ 62.
[[nodiscard]] constexpr std::int64_t shift_right_half_even(std::int64_t value, unsigned shift) {
  if (shift == 0) return value;
  const std::int64_t floor = value >> shift;
  const std::int64_t remainder = value - floor * (std::int64_t{1} << shift);
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  const bool up = remainder > half || (remainder == half && (floor & 1) != 0);
  return floor + (up ? 1 : 0);
}

}  // namespace skep
