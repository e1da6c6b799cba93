#include "scale.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>

#include "skep/core/norm.h"
#include "testing/deltas.h"

namespace skep::compress {
namespace {

using testing::in_range;

__extension__ using Uint128 = unsigned __int128;

/// The definition, in more bits than it needs: sum * mantissa² * 2^(64 + 2e) ≤ bound² * 2^32.
bool fits(std::uint64_t sum, const Scale& scale, Norm bound) {
  const Uint128 left = Uint128{sum} * scale.mantissa * scale.mantissa;  // < 2^96
  const Uint128 right = Uint128{bound.q16} * bound.q16;                 // < 2^64
  const int shift = 2 * scale.exponent + 32;
  return shift >= 0 ? left <= right >> shift : left <= right << -shift;
}

std::uint64_t any_sum() { return *rc::gen::arbitrary<std::uint64_t>() >> *in_range(0, 64); }
Scale any_scale() {
  return {*in_range(0U, 65536U), *in_range(kMinDeltaExponent, kMaxDeltaExponent + 1)};
}
Norm any_bound() { return {(*rc::gen::arbitrary<std::uint32_t>() >> *in_range(0, 32)) | 1U}; }

RC_GTEST_PROP(Scale, NormIsComparedExactly, ()) {
  const std::uint64_t sum = any_sum();
  const Scale scale = any_scale();
  const Norm bound = any_bound();
  RC_ASSERT(norm_at_most(sum, scale, bound) == fits(sum, scale, bound));
}

RC_GTEST_PROP(Scale, OfOneIsTheNormOfCore, ()) {
  const std::uint64_t sum = any_sum();
  const int exponent = any_scale().exponent;
  const Norm bound = any_bound();
  RC_ASSERT(norm_at_most(sum, Scale{1, exponent}, bound) == norm_at_most(sum, exponent, bound));
}

RC_GTEST_PROP(Scale, BoundedIsTheLargestThatFits, ()) {
  const std::uint64_t sum = any_sum();
  const Scale scale = any_scale();
  const Norm bound = any_bound();
  const Scale result = bounded(scale, sum, bound);
  RC_ASSERT(result.exponent == scale.exponent);
  RC_ASSERT(result.mantissa <= scale.mantissa);
  RC_ASSERT(fits(sum, result, bound));
  RC_ASSERT(result.mantissa == scale.mantissa ||
            !fits(sum, {result.mantissa + 1, result.exponent}, bound));
}

RC_GTEST_PROP(Scale, IsTheQuotientRoundedDownToSixteenBits, ()) {
  const auto numerator = any_sum() >> 10 | 1U;
  const auto denominator = any_sum() >> 30 | 1U;
  const int exponent = *in_range(kMinDeltaExponent, kMaxDeltaExponent + 17);
  const Scale scale = make_scale(numerator, denominator, exponent);
  RC_ASSERT(scale.mantissa <= 65535U);
  RC_ASSERT(scale.exponent >= kMinDeltaExponent && scale.exponent <= kMaxDeltaExponent);
  const long double exact = std::ldexp(
      static_cast<long double>(numerator) / static_cast<long double>(denominator), exponent);
  const long double value = std::ldexp(static_cast<long double>(scale.mantissa), scale.exponent);
  RC_ASSERT(value <= exact);
  const bool is_saturated = scale.mantissa == 65535U && scale.exponent == kMaxDeltaExponent;
  const bool is_at_the_finest = scale.exponent == kMinDeltaExponent;
  RC_ASSERT(is_saturated || is_at_the_finest || scale.mantissa >= 32768U);
  RC_ASSERT(is_saturated || exact - value < std::ldexp(1.0L, scale.exponent));
}

TEST(Scale, OfNothingIsZero) {
  EXPECT_EQ(make_scale(0, 5, -3).mantissa, 0U);
  EXPECT_EQ(make_scale(5, 0, 3).mantissa, 0U);
  EXPECT_EQ(make_scale(5, 0, 3).exponent, 0);
}

}  // namespace
}  // namespace skep::compress
