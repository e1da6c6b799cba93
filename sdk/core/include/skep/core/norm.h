// L2 norms of integer vectors, compared exactly. The device clips with these and the gateway
// checks with these, so the two never disagree by a rounding.
#pragma once

#include <cstdint>
#include <span>

#include "skep/flow.h"

namespace skep {

/// Σ values[i]². Exact for up to 2^33 elements.
[[nodiscard]] constexpr std::uint64_t sum_of_squares(std::span<const std::int16_t> values) {
  std::uint64_t sum = 0;
  for (const std::int32_t value : values) sum += static_cast<std::uint32_t>(value * value);
  return sum;
}

/// Whether √sum_of_squares * 2^exponent ≤ bound, without any rounding.
///
/// `exponent` in kMinDeltaExponent … kMaxDeltaExponent; any sum and bound.
[[nodiscard]] constexpr bool norm_at_most(std::uint64_t sum_of_squares, int exponent, Norm bound) {
  // sum * 2^(2 * exponent + 32) ≤ bound.q16², with the power of two moved to where it divides.
  const std::uint64_t bound_squared = std::uint64_t{bound.q16} * bound.q16;
  const int shift = 2 * exponent + 32;
  if (shift >= 0) return sum_of_squares <= bound_squared >> shift;
  const std::uint64_t divisor = std::uint64_t{1} << -shift;
  const std::uint64_t quotient = sum_of_squares / divisor;
  return quotient + (sum_of_squares % divisor != 0 ? 1 : 0) <= bound_squared;
}

static_assert(2 * kMinDeltaExponent + 32 > -64 && 2 * kMaxDeltaExponent + 32 < 64,
              "shifts stay within 64 bits");

}  // namespace skep
