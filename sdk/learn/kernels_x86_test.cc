// Every kernel that this machine can run against the portable one.
#include "kernels_x86.h"

#if defined(__x86_64__)

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels_portable.h"

namespace skep::learn::kernels_x86 {
namespace {

namespace portable = kernels_portable;

using Row = std::vector<std::int16_t>;
using Sums = std::vector<std::int64_t>;

// Long enough for any unrolled loop, its remainder, and starts that no vector is aligned to.
constexpr std::uint32_t kMaxLength = 130;
constexpr std::uint32_t kMaxOffset = 17;

// Half of the rows are all −32768: two such products are the one sum that wraps in PMADDWD.
Row random_row(std::size_t n) {
  if (*rc::gen::inRange(0, 2) == 0) return Row(n, INT16_MIN);
  const auto value = rc::gen::weightedOneOf<std::int16_t>(
      {{2, rc::gen::arbitrary<std::int16_t>()},
       {1, rc::gen::element<std::int16_t>(INT16_MIN, INT16_MIN, INT16_MAX, 0, -1, 16383, 16384,
                                          -16384, -16385)}});
  return *rc::gen::container<Row>(n, value);
}

using MultiplyRows = decltype(&portable::multiply_rows);
using MultiplyChannels = decltype(&portable::multiply_channels);

std::vector<MultiplyRows> all_multiply_rows() {
  std::vector<MultiplyRows> all{sse2::multiply_rows, kernels_x86::multiply_rows};
  if (avx2::is_supported()) all.push_back(avx2::multiply_rows);
  return all;
}

std::vector<MultiplyChannels> all_multiply_channels() {
  std::vector<MultiplyChannels> all{sse2::multiply_channels, kernels_x86::multiply_channels};
  if (avx2::is_supported()) all.push_back(avx2::multiply_channels);
  return all;
}

RC_GTEST_PROP(KernelsX86, MultiplyRowsEqualsThePortableOne, ()) {
  const auto n = *rc::gen::inRange<std::uint32_t>(0, kMaxLength);
  const auto offset = *rc::gen::inRange<std::uint32_t>(0, kMaxOffset);
  const auto row_count = *rc::gen::inRange<std::uint32_t>(0, 5);
  const auto stride = *rc::gen::inRange<std::uint32_t>(0, kMaxLength);
  const Row rows = random_row(offset + row_count * stride + n);
  const Row x = random_row(offset + n);
  Sums expected(row_count, 1);
  portable::multiply_rows(rows.data() + offset, stride, row_count, x.data() + offset, n,
                          expected.data());
  for (const MultiplyRows multiply_rows : all_multiply_rows()) {
    Sums sums(row_count, 2);
    multiply_rows(rows.data() + offset, stride, row_count, x.data() + offset, n, sums.data());
    RC_ASSERT(sums == expected);
  }
}

TEST(KernelsX86, MultiplyRowsHoldsTheLargestSum) {
  const Row extreme(65535, INT16_MIN);
  for (const MultiplyRows multiply_rows : all_multiply_rows()) {
    std::int64_t sum = 0;
    multiply_rows(extreme.data(), 0, 1, extreme.data(), 65535, &sum);
    EXPECT_EQ(sum, std::int64_t{65535} << 30);
  }
}

RC_GTEST_PROP(KernelsX86, MultiplyChannelsEqualsThePortableOne, ()) {
  const auto channels = *rc::gen::inRange<std::uint32_t>(0, kMaxLength);
  const auto offset = *rc::gen::inRange<std::uint32_t>(0, kMaxOffset);
  const auto count = *rc::gen::inRange<std::int32_t>(0, 8);
  const auto stride = static_cast<std::int32_t>(channels) + *rc::gen::inRange(0, 3);
  const std::int32_t last = std::max(count - 1, 0) * stride;
  const Row a = random_row(offset + static_cast<std::uint32_t>(last) + channels);
  const Row b = random_row(offset + static_cast<std::uint32_t>(last) + channels);
  const bool backwards = *rc::gen::arbitrary<bool>();
  const std::int16_t* const first = a.data() + offset + (backwards ? last : 0);
  const Positions positions{count, backwards ? -stride : stride, stride};
  Sums expected(channels);
  for (std::int64_t& sum : expected) sum = *rc::gen::inRange<std::int64_t>(-(1LL << 61), 1LL << 61);
  const Sums before = expected;
  portable::multiply_channels(first, b.data() + offset, positions, channels, expected.data());
  for (const MultiplyChannels multiply_channels : all_multiply_channels()) {
    Sums sums = before;
    multiply_channels(first, b.data() + offset, positions, channels, sums.data());
    RC_ASSERT(sums == expected);
  }
}

std::int32_t random_step() {
  return *rc::gen::weightedOneOf<std::int32_t>(
      {{3, rc::gen::map(rc::gen::arbitrary<std::int32_t>(),
                        [](std::int32_t v) { return std::max(v, -INT32_MAX); })},
       {1, rc::gen::inRange<std::int32_t>(-100000, 100000)},
       {1, rc::gen::element<std::int32_t>(INT32_MAX, -INT32_MAX, 0, 65535, 65536, -65536)}});
}

RC_GTEST_PROP(KernelsX86, UpdatesEqualThePortableOnes, ()) {
  const auto n = *rc::gen::inRange<std::uint32_t>(0, kMaxLength);
  const auto offset = *rc::gen::inRange<std::uint32_t>(0, kMaxOffset);
  const Row x = random_row(offset + n);
  const std::int32_t step = random_step();
  const auto delta = *rc::gen::element<std::int16_t>(INT16_MIN, INT16_MAX, -1, 0, 1234);
  const auto seed = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
  const Row before = random_row(offset + n);

  Row expected = before;
  std::uint32_t expected_random = seed;
  const bool grown =
      portable::update(expected.data() + offset, x.data() + offset, n, step, expected_random);
  Row w = before;
  std::uint32_t random = seed;
  RC_ASSERT(update(w.data() + offset, x.data() + offset, n, step, random) == grown);
  RC_ASSERT(w == expected);
  RC_ASSERT(random == expected_random);

  Sums expected_gradient(n, -(1LL << 40));
  Sums gradient = expected_gradient;
  expected = before;
  expected_random = seed;
  portable::update_with_gradient(expected.data() + offset, x.data() + offset,
                                 expected_gradient.data(), n, step, delta, expected_random);
  w = before;
  random = seed;
  RC_ASSERT(update_with_gradient(w.data() + offset, x.data() + offset, gradient.data(), n, step,
                                 delta, random) == grown);
  RC_ASSERT(w == expected);
  RC_ASSERT(gradient == expected_gradient);
  RC_ASSERT(random == expected_random);
}

}  // namespace
}  // namespace skep::learn::kernels_x86

#endif
