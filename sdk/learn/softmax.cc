#include "softmax.h"

#include <algorithm>

#include "fixed_point.h"

namespace skep::learn {
namespace {

constexpr std::int64_t kLog2OfE_q30 = 1549082005;  // log2(e) = 1.44269504
constexpr std::uint64_t kLnOf2_q32 = 2977044472;   // ln(2) = 0.69314718

// 2^f for f in [0, 1), Q15: 1 + f (c1 + f (c2 + f c3)), relative error below 1.1e-4. The
// coefficients are minimax under c1 + c2 + c3 = 1, so that 2^x is continuous at whole numbers.
std::uint32_t power_of_two_q15(std::uint32_t f) {
  constexpr std::uint32_t kC1 = 22788;
  constexpr std::uint32_t kC2 = 7415;
  constexpr std::uint32_t kC3 = 2565;
  static_assert(kC1 + kC2 + kC3 == 1U << 15);
  constexpr std::uint32_t kHalf = 1U << 14;
  std::uint32_t y = kC2 + ((kC3 * f + kHalf) >> 15);
  y = kC1 + ((y * f + kHalf) >> 15);
  return (1U << 15) + ((y * f + kHalf) >> 15);
}

// log2(x) in Q16 for x ≥ 1, to within 2^-16: one bit of the fraction for each squaring.
std::uint32_t log2_q16(std::uint64_t x) {
  const auto whole = static_cast<std::uint32_t>(significant_bits(x)) - 1;
  std::uint64_t mantissa = whole >= 31 ? x >> (whole - 31) : x << (31 - whole);  // Q31 in [1, 2)
  std::uint32_t result = whole;
  for (int bit = 0; bit < 16; ++bit) {
    mantissa = (mantissa * mantissa) >> 31;
    const std::uint32_t above_two = mantissa >> 32 != 0 ? 1 : 0;
    mantissa >>= above_two;
    result = result << 1 | above_two;
  }
  return result;
}

}  // namespace

std::int16_t largest(std::span<const std::int16_t> logits) {
  return *std::max_element(logits.begin(), logits.end());
}

std::uint32_t exponential_q30(std::int32_t below, int exponent) {
  // As a power of two, Q16; |below * log2(e)| < 2^47, and Q30 becomes Q16.
  const std::int64_t power = scale(below * kLog2OfE_q30, exponent - 14);
  if (power <= -(std::int64_t{31} << 16)) return 0;
  const auto halvings = static_cast<std::uint32_t>(-(power >> 16));
  const auto fraction = static_cast<std::uint32_t>(power & 0xFFFF) >> 1;
  return (power_of_two_q15(fraction) << 15) >> halvings;
}

std::uint64_t sum_exponentials(std::span<const std::int16_t> logits, int exponent,
                               std::int64_t* terms) {
  const std::int32_t top = largest(logits);
  std::uint64_t sum = 0;
  for (const std::int16_t logit : logits) {
    const std::uint32_t term = exponential_q30(logit - top, exponent);
    sum += term;
    if (terms != nullptr) *terms++ = term;
  }
  return sum;
}

std::int64_t natural_log_q16(std::uint64_t value_q30) {
  const std::uint64_t log2 = log2_q16(value_q30) - (30U << 16);
  return static_cast<std::int64_t>((log2 * kLnOf2_q32 + (1U << 31)) >> 32);
}

std::uint32_t cross_entropy_q16(std::span<const std::int16_t> logits, int exponent,
                                std::uint64_t sum, std::uint16_t label) {
  const std::int64_t log_sum = natural_log_q16(sum);
  const std::int64_t distance = std::int64_t{largest(logits)} - logits[label];
  const std::int64_t loss = scale(distance, exponent + 16) + log_sum;
  return saturate<std::uint32_t>(loss);
}

void softmax_gradient(std::span<const std::int64_t> terms, std::uint64_t sum, std::uint16_t label,
                      std::int16_t* gradient) {
  // One division: with sum normalised to [2^30, 2^31), p = term * (2^61 / sum) * 2^-46 in Q15.
  const int excess = significant_bits(sum) - 31;
  const std::uint64_t reciprocal = (std::uint64_t{1} << 61) / (sum >> excess);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const std::uint64_t term = static_cast<std::uint64_t>(terms[i]) >> excess;
    const auto p = static_cast<std::int32_t>((term * reciprocal + (std::uint64_t{1} << 45)) >> 46);
    gradient[i] = saturate<std::int16_t>(i == label ? p - (1 << 15) : p);
  }
}

}  // namespace skep::learn
