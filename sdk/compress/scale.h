// The scale of the modes whose values are integers times a 16-bit factor times a power of two.
#pragma once

#include <cstdint>

#include "skep/flow.h"

namespace skep::compress {

/// mantissa * 2^exponent.
struct Scale {
  std::uint32_t mantissa;  ///< Below 2^16.
  int exponent;            ///< kMinDeltaExponent … kMaxDeltaExponent.
};

/// numerator / denominator * 2^exponent, rounded down to 16 bits, or to fewer where the exponent
/// would be below kMinDeltaExponent; saturates where it would be above kMaxDeltaExponent. A
/// denominator of 0 gives 0. `exponent` in kMinDeltaExponent … kMaxDeltaExponent + 16.
[[nodiscard]] Scale make_scale(std::uint64_t numerator, std::uint64_t denominator, int exponent);

/// Whether √sum_of_squares * scale ≤ bound, exactly. Any sum and bound.
[[nodiscard]] bool norm_at_most(std::uint64_t sum_of_squares, const Scale& scale, Norm bound);

/// The largest scale of the same exponent, at most `scale`, with which a vector of that sum of
/// squares is within the bound.
[[nodiscard]] Scale bounded(Scale scale, std::uint64_t sum_of_squares, Norm bound);

}  // namespace skep::compress
