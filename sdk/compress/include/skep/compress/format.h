// Bounds of the compressed delta's formats, docs/reference/compressed-delta.md.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "skep/config.h"

namespace skep::compress {

/// Bits of a value of top-K and random-K, sign included.
inline constexpr std::uint32_t kMinValueBits = 2;
inline constexpr std::uint32_t kMaxValueBits = 16;

/// Largest parameter of top-K's Golomb-Rice code: no gap has more bits.
inline constexpr std::uint32_t kMaxRiceParameter = 23;
static_assert(kMaxParameters <= std::uint32_t{1} << (kMaxRiceParameter + 1),
              "gaps between indices must be below 2^24");

/// Ternary's parameter shares a byte with the format's number.
inline constexpr std::uint32_t kMaxTernaryRiceParameter = 15;

/// Largest magnitude of a value of that many bits; the most negative code is not used.
[[nodiscard]] constexpr std::int32_t max_value(std::uint32_t value_bits) {
  return (std::int32_t{1} << (value_bits - 1)) - 1;
}

/// Bytes before top-K's entries: version and bits, exponent, Rice parameter, and the count, which
/// has 7 bits a byte.
[[nodiscard]] constexpr std::uint32_t header_bytes(std::uint32_t count) {
  std::uint32_t size = 4;
  for (; count >= 128; count >>= 7) ++size;
  return size;
}

/// Bytes before ternary's entries: format and Rice parameter, exponent, magnitude.
inline constexpr std::uint32_t kTernaryHeaderBytes = 3;

/// Bytes before the values of int8, EDEN and random-K: format, exponent, scale.
inline constexpr std::uint32_t kScaledHeaderBytes = 4;

/// Length of the vector that EDEN transforms: a power of two that fills whole bytes with signs.
[[nodiscard]] constexpr std::uint32_t padded_dimension(std::uint32_t dimension) {
  return std::max<std::uint32_t>(8, std::bit_ceil(dimension));
}

}  // namespace skep::compress
