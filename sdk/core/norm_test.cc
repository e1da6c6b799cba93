#include "skep/core/norm.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <vector>

namespace skep {
namespace {

__extension__ using Wide = unsigned __int128;

TEST(SumOfSquares, IsExactForTheMostNegativeElement) {
  const std::vector<std::int16_t> values(1000, INT16_MIN);
  EXPECT_EQ(sum_of_squares(values), std::uint64_t{1000} << 30);
  EXPECT_EQ(sum_of_squares({}), 0U);
}

TEST(NormAtMost, IsSharpAtTheBound) {
  // 3-4-5: the norm of (3, 4) * 2^-2 is exactly 1.25.
  const Norm bound{0x14000};
  EXPECT_TRUE(norm_at_most(25, -2, bound));
  EXPECT_FALSE(norm_at_most(26, -2, bound));
  EXPECT_FALSE(norm_at_most(25, -2, Norm{0x13FFF}));
  EXPECT_TRUE(norm_at_most(0, 0, Norm{1}));
}

TEST(NormAtMost, RoundsNothingBelowTheUnitOfTheBound) {
  // The bound 2^-16 is 2^16 units of 2^-32, squared 2^32.
  EXPECT_TRUE(norm_at_most(std::uint64_t{1} << 32, kMinDeltaExponent, Norm{1}));
  EXPECT_FALSE(norm_at_most((std::uint64_t{1} << 32) + 1, kMinDeltaExponent, Norm{1}));
}

TEST(NormAtMost, TakesEveryCombinationOfExtremes) {
  EXPECT_FALSE(norm_at_most(UINT64_MAX, kMaxDeltaExponent, Norm{UINT32_MAX}));
  EXPECT_TRUE(norm_at_most(UINT64_MAX, kMinDeltaExponent, Norm{UINT32_MAX}));
  EXPECT_FALSE(norm_at_most(1, kMaxDeltaExponent, Norm{1}));
}

RC_GTEST_PROP(NormAtMost, AgreesWithExactArithmetic,
              (std::uint64_t sum_bits, std::uint32_t bound_bits)) {
  const auto exponent = *rc::gen::inRange(kMinDeltaExponent, kMaxDeltaExponent + 1);
  const std::uint64_t sum = sum_bits >> *rc::gen::inRange(0, 64);
  const std::uint32_t bound = bound_bits >> *rc::gen::inRange(0, 32);
  // Both sides times 2^(32 - 2 * exponent).
  const Wide left = Wide{sum} << 32;
  const Wide right = (Wide{bound} * bound) << (-2 * exponent);
  RC_ASSERT(norm_at_most(sum, exponent, Norm{bound}) == (left <= right));
}

}  // namespace
}  // namespace skep
