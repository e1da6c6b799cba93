// From a layer's sums to int16 with one exponent.
#pragma once

#include <algorithm>
#include <cstdint>

#include "fixed_point.h"

namespace skep::learn {

/// Smallest exponent of an activation: finer ones would let an aligned bias overflow.
inline constexpr int kMinActivationExponent = -36;

/// A delta's exponent may sink without bound: it only ever shifts a weight's step, with saturation.
inline constexpr int kNoMinExponent = -16384;

/// Rounds `values` * 2^exponent to int16, to nearest with ties up, so that the largest has 15
/// significant bits, but with an exponent of at least `min_exponent`. Returns the exponent of
/// `out`, which may not overlap with `values`. Wide is int32 or int64; |values| ≤ 2^62.
template <typename Wide>
int normalize(const Wide* values, std::uint32_t n, int exponent, int min_exponent,
              std::int16_t* out) {
  const int shift = std::max(-headroom(values, n), min_exponent - exponent);
  if (shift > static_cast<int>(8 * sizeof(Wide)) - 2) {
    std::fill_n(out, n, std::int16_t{0});
  } else if (shift > 0) {
    // Rounding up can carry the largest into a sixteenth bit: 32768 becomes 32767. Two shifts,
    // because half a unit might not fit on top of the value.
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto rounded = static_cast<std::int32_t>(((values[i] >> (shift - 1)) + 1) >> 1);
      out[i] = saturate<std::int16_t>(rounded);
    }
  } else {
    // −2^15 ≤ values < 2^15 here, and so are the products.
    const std::int32_t factor = std::int32_t{1} << -shift;
    for (std::uint32_t i = 0; i < n; ++i) {
      out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(values[i]) * factor);
    }
  }
  return exponent + shift;
}

}  // namespace skep::learn
