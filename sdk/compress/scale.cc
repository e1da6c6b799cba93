#include "scale.h"

#include <algorithm>
#include <bit>

namespace skep::compress {
namespace {

constexpr std::uint32_t kMaxMantissa = UINT16_MAX;
constexpr int kMantissaBits = 16;

static_assert(2 * kMinDeltaExponent + 32 >= -32 && 2 * kMaxDeltaExponent + 32 <= 32,
              "the bound's side has 96 bits");

}  // namespace

Scale make_scale(std::uint64_t numerator, std::uint64_t denominator, int exponent) {
  if (numerator == 0 || denominator == 0) return {0, std::min(exponent, kMaxDeltaExponent)};
  const int doublings = std::countl_zero(numerator);
  std::uint64_t quotient = (numerator << doublings) / denominator;
  exponent -= doublings;
  const int excess = std::max({static_cast<int>(std::bit_width(quotient)) - kMantissaBits,
                               kMinDeltaExponent - exponent, 0});
  quotient = excess < 64 ? quotient >> excess : 0;
  exponent += excess;
  if (exponent > kMaxDeltaExponent) return {kMaxMantissa, kMaxDeltaExponent};
  return {static_cast<std::uint32_t>(quotient), exponent};
}

bool norm_at_most(std::uint64_t sum_of_squares, const Scale& scale, Norm bound) {
  // sum * mantissa² * 2^(2 * exponent + 32) ≤ bound.q16², with the power of two moved to where it
  // loses nothing. Both sides have up to 96 bits: an upper 64 and a lower 32.
  const std::uint64_t square = std::uint64_t{scale.mantissa} * scale.mantissa;
  const std::uint64_t low = (sum_of_squares & UINT32_MAX) * square;
  const std::uint64_t product_high = (sum_of_squares >> 32) * square + (low >> 32);
  const auto product_low = static_cast<std::uint32_t>(low);

  const std::uint64_t bound_squared = std::uint64_t{bound.q16} * bound.q16;
  const int shift = 2 * scale.exponent + 32;
  const std::uint64_t limit = shift >= 0 ? bound_squared >> shift : bound_squared << -shift;
  const std::uint64_t limit_high = shift >= 0 ? limit >> 32 : bound_squared >> (32 + shift);
  const auto limit_low = static_cast<std::uint32_t>(limit);
  return product_high < limit_high || (product_high == limit_high && product_low <= limit_low);
}

Scale bounded(Scale scale, std::uint64_t sum_of_squares, Norm bound) {
  if (norm_at_most(sum_of_squares, scale, bound)) return scale;
  std::uint32_t fits = 0;
  std::uint32_t exceeds = scale.mantissa;
  while (exceeds - fits > 1) {
    const std::uint32_t middle = fits + (exceeds - fits) / 2;
    (norm_at_most(sum_of_squares, {middle, scale.exponent}, bound) ? fits : exceeds) = middle;
  }
  return {fits, scale.exponent};
}

}  // namespace skep::compress
