#include "kernels_portable.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "skep/core/prng.h"

namespace skep::learn::kernels_portable {
namespace {

using Row = std::vector<std::int16_t>;

Row random_row(std::size_t n) {
  const auto value = rc::gen::weightedOneOf<std::int16_t>(
      {{4, rc::gen::arbitrary<std::int16_t>()},
       {1, rc::gen::element<std::int16_t>(INT16_MIN, INT16_MAX, 0, -1, 16383, 16384, -16384,
                                          -16385)}});
  return *rc::gen::container<Row>(n, value);
}

std::int32_t random_step() {
  return *rc::gen::weightedOneOf<std::int32_t>(
      {{3, rc::gen::map(rc::gen::arbitrary<std::int32_t>(),
                        [](std::int32_t v) { return std::max(v, -INT32_MAX); })},
       {1, rc::gen::inRange<std::int32_t>(-100000, 100000)},
       {1, rc::gen::element<std::int32_t>(INT32_MAX, -INT32_MAX, 0)}});
}

std::int64_t floor_shift(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

// The definition in the header, written with divisions.
struct Expected {
  Row w;
  bool grown = false;
  std::uint32_t random;
};

Expected by_definition(const Row& w, const Row& x, std::int32_t step, std::uint32_t random) {
  Expected expected{w, false, random};
  Xorshift32 generator(random);
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (i % 2 == 0) expected.random = generator.next();
    const std::int64_t r = i % 2 == 0 ? expected.random % 65536 : expected.random / 65536;
    const std::int64_t t = floor_shift(std::int64_t{step} * x[i], 65536);
    const std::int64_t moved = w[i] - floor_shift(t + r, 65536);
    const std::int64_t result = std::clamp<std::int64_t>(moved, INT16_MIN, INT16_MAX);
    expected.w[i] = static_cast<std::int16_t>(result);
    expected.grown |= result < -16384 || result > 16383;
  }
  return expected;
}

RC_GTEST_PROP(KernelsPortable, MultiplyRowsIsExact, ()) {
  const auto n = *rc::gen::inRange<std::uint32_t>(0, 80);
  const auto row_count = *rc::gen::inRange<std::uint32_t>(0, 6);
  const auto stride = *rc::gen::inRange<std::uint32_t>(0, 80);
  const Row rows = random_row(row_count * stride + n);
  const Row x = random_row(n);
  std::vector<std::int64_t> sums(row_count, 7);
  multiply_rows(rows.data(), stride, row_count, x.data(), n, sums.data());
  for (std::uint32_t r = 0; r < row_count; ++r) {
    std::int64_t expected = 0;
    for (std::uint32_t i = 0; i < n; ++i) expected += std::int64_t{rows[r * stride + i]} * x[i];
    RC_ASSERT(sums[r] == expected);
  }
}

TEST(KernelsPortable, MultiplyRowsHoldsTheLargestSum) {
  const Row extreme(65535, INT16_MIN);
  std::int64_t sum = 0;
  multiply_rows(extreme.data(), 0, 1, extreme.data(), 65535, &sum);
  EXPECT_EQ(sum, std::int64_t{65535} << 30);
}

RC_GTEST_PROP(KernelsPortable, MultiplyChannelsIsExact, ()) {
  const auto channels = *rc::gen::inRange<std::uint32_t>(0, 40);
  const auto count = *rc::gen::inRange<std::int32_t>(0, 8);
  const auto stride = static_cast<std::int32_t>(channels) + *rc::gen::inRange(0, 3);
  const auto length = static_cast<std::size_t>(stride) * static_cast<std::size_t>(count) + channels;
  const Row a = random_row(length);
  const Row b = random_row(length);
  const std::int32_t last = std::max(count - 1, 0) * stride;  // b is read backwards
  std::vector<std::int64_t> sums(channels, -7);
  multiply_channels(a.data(), b.data() + last, {count, stride, -stride}, channels, sums.data());
  for (std::uint32_t c = 0; c < channels; ++c) {
    std::int64_t expected = -7;
    for (std::int32_t i = 0; i < count; ++i) {
      expected += std::int64_t{a.data()[i * stride + static_cast<std::int32_t>(c)]} *
                  b.data()[last - i * stride + static_cast<std::int32_t>(c)];
    }
    RC_ASSERT(sums[c] == expected);
  }
}

RC_GTEST_PROP(KernelsPortable, UpdateFollowsItsDefinition, ()) {
  const auto n = *rc::gen::inRange<std::size_t>(1, 40);
  Row w = random_row(n);
  const Row x = random_row(n);
  const std::int32_t step = random_step();
  std::uint32_t random = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
  const Expected expected = by_definition(w, x, step, random);
  RC_ASSERT(update(w.data(), x.data(), static_cast<std::uint32_t>(n), step, random) ==
            expected.grown);
  RC_ASSERT(w == expected.w);
  RC_ASSERT(random == expected.random);
}

RC_GTEST_PROP(KernelsPortable, UpdateWithGradientAddsTheWeightsBeforeIt, ()) {
  const auto n = *rc::gen::inRange<std::size_t>(1, 40);
  Row w = random_row(n);
  const Row before = w;
  const Row x = random_row(n);
  const std::int32_t step = random_step();
  const auto delta = *rc::gen::arbitrary<std::int16_t>();
  std::uint32_t random = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
  const Expected expected = by_definition(w, x, step, random);
  std::vector<std::int64_t> gradient(n, 7);
  RC_ASSERT(update_with_gradient(w.data(), x.data(), gradient.data(), static_cast<std::uint32_t>(n),
                                 step, delta, random) == expected.grown);
  RC_ASSERT(w == expected.w);
  RC_ASSERT(random == expected.random);
  for (std::size_t i = 0; i < n; ++i) {
    RC_ASSERT(gradient[i] == 7 + std::int64_t{before[i]} * delta);
  }
}

TEST(KernelsPortable, RoundingIsUnbiased) {
  // Each step asks for 0.3 of a weight's LSB: after 10,000 the mean weight has moved 3,000. The
  // deviation of a weight is sqrt(10,000 * 0.21) = 46, of the mean of 64 of them 6.
  Row w(64, 0);
  const Row x(64, 1 << 14);
  const auto step = static_cast<std::int32_t>(0.3 * (1 << 18));
  std::uint32_t random = 1;
  for (int i = 0; i < 10000; ++i) update(w.data(), x.data(), 64, step, random);
  double even = 0;
  double odd = 0;
  for (std::size_t i = 0; i < 64; i += 2) {
    even += w[i] / 32.0;
    odd += w[i + 1] / 32.0;
  }
  EXPECT_NEAR(even, -3000.0, 35.0);
  EXPECT_NEAR(odd, -3000.0, 35.0);
}

}  // namespace
}  // namespace skep::learn::kernels_portable
