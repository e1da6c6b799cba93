#include "skep/core/integer_math.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstdint>

namespace skep {
namespace {

__extension__ using Wide = unsigned __int128;

TEST(FloorSqrt, IsRightAroundEverySquareOfASmallRoot) {
  for (std::uint64_t root = 1; root < 70'000; ++root) {
    ASSERT_EQ(floor_sqrt(root * root - 1), root - 1);
    ASSERT_EQ(floor_sqrt(root * root), root);
    ASSERT_EQ(ceil_sqrt(root * root), root);
    ASSERT_EQ(ceil_sqrt(root * root + 1), root + 1);
  }
  EXPECT_EQ(floor_sqrt(0), 0U);
  EXPECT_EQ(ceil_sqrt(0), 0U);
}

TEST(FloorSqrt, TakesTheLargestValue) {
  EXPECT_EQ(floor_sqrt(UINT64_MAX), UINT32_MAX);
  EXPECT_EQ(ceil_sqrt(UINT64_MAX), std::uint64_t{1} << 32);
}

RC_GTEST_PROP(FloorSqrt, IsTheLargestRootThatFits, (std::uint64_t bits)) {
  const std::uint64_t value = bits >> *rc::gen::inRange(0, 64);
  const Wide root = floor_sqrt(value);
  RC_ASSERT(root * root <= value);
  RC_ASSERT((root + 1) * (root + 1) > value);
}

RC_GTEST_PROP(ShiftRightHalfEven, AgreesWithTheFloatingPointUnit, (std::int64_t bits)) {
  // Below 2^53 and without an exponent's end near, ldexp and nearbyint are exact.
  const std::int64_t value = bits >> *rc::gen::inRange(11, 64);
  const auto shift = *rc::gen::inRange<unsigned>(0, 55);
  ASSERT_EQ(std::fegetround(), FE_TONEAREST);
  const double expected = std::nearbyint(std::ldexp(static_cast<double>(value), -int(shift)));
  RC_ASSERT(shift_right_half_even(value, shift) == static_cast<std::int64_t>(expected));
}

TEST(ShiftRightHalfEven, SendsTiesToTheEvenNeighbour) {
  EXPECT_EQ(shift_right_half_even(1, 1), 0);
  EXPECT_EQ(shift_right_half_even(3, 1), 2);
  EXPECT_EQ(shift_right_half_even(-1, 1), 0);
  EXPECT_EQ(shift_right_half_even(-3, 1), -2);
  EXPECT_EQ(shift_right_half_even(-5, 1), -2);
  EXPECT_EQ(shift_right_half_even(INT64_MIN, 62), -2);
  EXPECT_EQ(shift_right_half_even(INT64_MAX, 62), 2);
}

}  // namespace
}  // namespace skep
