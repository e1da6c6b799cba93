// From a layer's sums to int16 with one exponent.
#pragma once

#include <cstdint>

namespace skep::learn {

/// Smallest exponent of an activation: finer ones would let an aligned bias overflow.
inline constexpr int kMinActivationExponent = -36;

/// A delta's exponent may sink without bound: it only ever shifts a weight's step, with saturation.
inline constexpr int kNoMinExponent = -16384;

/// All bits that a magnitude of `values` has.
std::uint32_t magnitude_bits(const std::int32_t* values, std::uint32_t n);
std::uint64_t magnitude_bits(const std::int64_t* values, std::uint32_t n);

/// Rounds `values` * 2^exponent to int16, to nearest with ties up, so that the largest has 15
/// significant bits, but with an exponent of at least `min_exponent`. `bits` are those of
/// magnitude_bits(values, n). Returns the exponent of `out`, which may not overlap with `values`.
/// |values| ≤ 2^62.
int normalize(const std::int32_t* values, std::uint32_t n, std::uint32_t bits, int exponent,
              int min_exponent, std::int16_t* out);
int normalize(const std::int64_t* values, std::uint32_t n, std::uint64_t bits, int exponent,
              int min_exponent, std::int16_t* out);

template <typename Wide>
int normalize(const Wide* values, std::uint32_t n, int exponent, int min_exponent,
              std::int16_t* out) {
  return normalize(values, n, magnitude_bits(values, n), exponent, min_exponent, out);
}

}  // namespace skep::learn
