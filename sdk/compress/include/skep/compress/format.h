// Bounds of the compressed delta's format, docs/reference/compressed-delta.md.
#pragma once

#include <cstdint>

#include "skep/config.h"

namespace skep::compress {

inline constexpr std::uint32_t kFormatVersion = 1;

/// Bits of a value, sign included.
inline constexpr std::uint32_t kMinValueBits = 2;
inline constexpr std::uint32_t kMaxValueBits = 16;

/// Largest parameter of the Golomb-Rice code: no gap has more bits.
inline constexpr std::uint32_t kMaxRiceParameter = 23;
static_assert(kMaxParameters <= std::uint32_t{1} << (kMaxRiceParameter + 1),
              "gaps between indices must be below 2^24");

/// Largest magnitude of a value of that many bits; the most negative code is not used.
[[nodiscard]] constexpr std::int32_t max_value(std::uint32_t value_bits) {
  return (std::int32_t{1} << (value_bits - 1)) - 1;
}

/// Bytes before the entries: version and bits, exponent, Rice parameter, and the count, which has
/// 7 bits a byte.
[[nodiscard]] constexpr std::uint32_t header_bytes(std::uint32_t count) {
  std::uint32_t size = 4;
  for (; count >= 128; count >>= 7) ++size;
  return size;
}

}  // namespace skep::compress
