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

RC_GTEST_PROP(FixedPoint, RoundShiftIsScale, ()) {
  const auto shift = *rc::gen::inRange(1, 32);
  const std::int64_t limit = (std::int64_t{1} << (31 + shift)) - (std::int64_t{1} << shift);
  const auto value = *rc::gen::inRange<std::int64_t>(-limit, limit);
  RC_ASSERT(round_shift(value, shift) == scale(value, -shift));
}

TEST(FixedPoint, RoundShiftOfTies) {
  for (int shift = 1; shift < 32; ++shift) {
    const std::int64_t half = std::int64_t{1} << (shift - 1);
    for (const std::int64_t value : {half, -half, half - 1, -half - 1, 3 * half, -3 * half}) {
      ASSERT_EQ(round_shift(value, shift), scale(value, -shift)) << value << " * 2^-" << shift;
    }
  }
}

TEST(FixedPoint, SaturateIsTheNearestValue) {
  EXPECT_EQ(saturate<std::int16_t>(std::int32_t{32768}), 32767);
  EXPECT_EQ(saturate<std::int16_t>(std::int32_t{-40000}), -32768);
  EXPECT_EQ(saturate<std::int16_t>(std::int64_t{-5}), -5);
  for (const std::int32_t value : {0, -1, 32767, 32768, -32768, -32769, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(saturate16(value), std::clamp<std::int32_t>(value, INT16_MIN, INT16_MAX));
  }
  EXPECT_EQ(saturate<std::uint32_t>(std::int64_t{-1}), 0U);
  EXPECT_EQ(saturate<std::uint32_t>(std::int64_t{1} << 40), UINT32_MAX);
}

}  // namespace
}  // namespace skep::learn
