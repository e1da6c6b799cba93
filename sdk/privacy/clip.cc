#include "skep/privacy/clip.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "skep/core/integer_math.h"
#include "skep/core/norm.h"

namespace skep::privacy {
namespace {

constexpr std::size_t kMaxElements = std::size_t{1} << 24;  // keeps Σx² below 2^54

/// New element = old * mantissa / 2^shift, toward zero, in `exponent`.
struct Scaling {
  std::uint32_t mantissa;  // < 2^15
  std::uint32_t shift;     // < 32
  int exponent;

  [[nodiscard]] std::int32_t operator()(std::int32_t value) const {
    const std::uint32_t magnitude = static_cast<std::uint32_t>(value < 0 ? -value : value);
    const auto scaled = static_cast<std::int32_t>((magnitude * mantissa) >> shift);
    return value < 0 ? -scaled : scaled;
  }
};

std::uint32_t largest_magnitude(std::span<const std::int16_t> values) {
  std::int32_t largest = 0;
  for (const std::int32_t value : values) largest = std::max(largest, value < 0 ? -value : value);
  return static_cast<std::uint32_t>(largest);
}

/// The ratio bound / norm as mantissa * 2^(−15 − halvings), rounded down, mantissa in
/// [2^14, 2^15). Requires a norm above the bound, so halvings ≥ 0.
struct Ratio {
  std::uint32_t mantissa;
  int halvings;
};

Ratio ratio_of(Norm bound, std::uint64_t sum_of_squares, int exponent) {
  // Both are brought to 32 significant bits, so only the division's rounding matters. The root is
  // rounded up and the quotient down.
  const int root_shift = std::countl_zero(sum_of_squares) / 2;
  const std::uint64_t root = ceil_sqrt(sum_of_squares << (2 * root_shift));
  const int bound_shift = std::countl_zero(bound.q16);
  const std::uint64_t numerator = std::uint64_t{bound.q16} << bound_shift;
  const std::uint64_t quotient = (numerator << 15) / root;
  const int too_large = quotient >= 0x8000U ? 1 : 0;
  return {static_cast<std::uint32_t>(quotient >> too_large),
          bound_shift + 16 + exponent - root_shift - too_large};
}

Scaling scaling_for(Norm bound, std::uint64_t sum_of_squares, const Delta& delta) {
  const Ratio ratio = ratio_of(bound, sum_of_squares, delta.exponent);
  // Doublings that leave the largest element at most 2^15, which the mantissa brings below.
  const std::uint32_t largest = largest_magnitude(delta.values);
  const int headroom = 15 - static_cast<int>(std::bit_width(largest - 1));
  const int exponent = std::max(delta.exponent - ratio.halvings - headroom, kMinDeltaExponent);
  const int doublings = delta.exponent - ratio.halvings - exponent;
  return {ratio.mantissa, static_cast<std::uint32_t>(15 - doublings), exponent};
}

std::uint64_t scaled_sum_of_squares(std::span<const std::int16_t> values, const Scaling& scale) {
  std::uint64_t sum = 0;
  for (const std::int16_t value : values) {
    const std::int32_t scaled = scale(value);
    sum += static_cast<std::uint32_t>(scaled * scaled);
  }
  return sum;
}

bool is_valid(const Delta& delta) {
  return !delta.values.empty() && delta.values.size() <= kMaxElements &&
         delta.exponent >= kMinDeltaExponent && delta.exponent <= kMaxDeltaExponent &&
         delta.sample_count >= 1;
}

}  // namespace

Result<Clipped> clip(Delta delta, Norm max_norm) {
  if (!is_valid(delta) || max_norm.q16 == 0) return Status::kInvalidArgument;
  const std::uint64_t sum = sum_of_squares(delta.values);
  if (norm_at_most(sum, delta.exponent, max_norm)) return Clipped(delta);

  Scaling scale = scaling_for(max_norm, sum, delta);
  // All roundings are downwards, so the first try holds; the bound does not hang on that argument.
  while (!norm_at_most(scaled_sum_of_squares(delta.values, scale), scale.exponent, max_norm)) {
    --scale.mantissa;
  }
  for (std::int16_t& value : delta.values) value = static_cast<std::int16_t>(scale(value));
  delta.exponent = scale.exponent;
  return Clipped(delta);
}

}  // namespace skep::privacy
