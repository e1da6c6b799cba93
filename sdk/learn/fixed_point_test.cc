#include "fixed_point.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>

namespace skep::learn {
namespace {

// Products of an int16 and a rate's mantissa, as in the engine.
constexpr std::int32_t kLargest = 32768 * 32767;

std::int32_t by_definition(std::int32_t value, int shift, std::int32_t limit) {
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(scale(value, shift), -std::int64_t{limit}, limit));
}

RC_GTEST_PROP(FixedPoint, ScaleWithinIsScaleAndClamp, ()) {
  const auto value = *rc::gen::weightedOneOf<std::int32_t>(
      {{2, rc::gen::inRange<std::int32_t>(-kLargest, kLargest + 1)},
       {2, rc::gen::inRange<std::int32_t>(-40, 40)},
       {1, rc::gen::element<std::int32_t>(0, 1, -1, kLargest, -kLargest)}});
  const auto shift = *rc::gen::inRange(-100, 100);
  const auto limit = *rc::gen::element<std::int32_t>(1 << 30, INT32_MAX, (1 << 30) + 12345);
  RC_ASSERT(scale_within(value, shift, limit) == by_definition(value, shift, limit));
}

TEST(FixedPoint, ScaleWithinAtEveryShift) {
  for (int shift = -20'000; shift <= 20'000; shift += std::abs(shift) < 70 ? 1 : 199) {
    for (const std::int32_t value : {0, 1, -1, 2, -2, 3, -3, kLargest, -kLargest, 1 << 29}) {
      for (const std::int32_t limit : {1 << 30, INT32_MAX}) {
        ASSERT_EQ(scale_within(value, shift, limit), by_definition(value, shift, limit))
            << value << " * 2^" << shift;
      }
    }
  }
}

TEST(FixedPoint, SaturateIsTheNearestValue) {
  EXPECT_EQ(saturate<std::int16_t>(std::int32_t{32768}), 32767);
  EXPECT_EQ(saturate<std::int16_t>(std::int32_t{-40000}), -32768);
  EXPECT_EQ(saturate<std::int16_t>(std::int64_t{-5}), -5);
  EXPECT_EQ(saturate<std::uint32_t>(std::int64_t{-1}), 0U);
  EXPECT_EQ(saturate<std::uint32_t>(std::int64_t{1} << 40), UINT32_MAX);
}

}  // namespace
}  // namespace skep::learn
