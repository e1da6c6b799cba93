#include "skep/core/permutation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <vector>

namespace skep {
namespace {

void expect_bijection(std::uint32_t n, std::uint32_t seed) {
  const Permutation permutation(n, seed);
  std::vector<bool> seen(n, false);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t image = permutation(i);
    ASSERT_LT(image, n) << "n " << n << " seed " << seed;
    ASSERT_FALSE(seen[image]) << "n " << n << " seed " << seed;
    seen[image] = true;
  }
}

TEST(Permutation, IsABijectionForEverySmallSize) {
  for (std::uint32_t n = 0; n <= 300; ++n) {
    for (std::uint32_t seed = 0; seed < 4; ++seed) expect_bijection(n, seed);
  }
}

RC_GTEST_PROP(Permutation, IsABijection, (std::uint32_t seed)) {
  expect_bijection(*rc::gen::inRange<std::uint32_t>(1, 20000), seed);
}

TEST(Permutation, HoldsTheLargestSizes) {
  for (const std::uint32_t n : {0x80000000U, 0x80000001U, 0xFFFFFFFFU}) {
    const Permutation permutation(n, 5);
    EXPECT_EQ(permutation.size(), n);
    EXPECT_LT(permutation(0), n);
    EXPECT_LT(permutation(n - 1), n);
    EXPECT_NE(permutation(0), permutation(n - 1));
  }
}

TEST(Permutation, SeedsGiveUnrelatedOrders) {
  // Two random orders of n things agree in one place on average; 12 is beyond one in 10^9.
  constexpr std::uint32_t kSize = 1000;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const Permutation a(kSize, seed);
    const Permutation b(kSize, seed + 1);
    std::uint32_t agreements = 0;
    std::uint32_t fixed_points = 0;
    for (std::uint32_t i = 0; i < kSize; ++i) {
      agreements += a(i) == b(i) ? 1 : 0;
      fixed_points += a(i) == i ? 1 : 0;
    }
    EXPECT_LT(agreements, 12U) << "seed " << seed;
    EXPECT_LT(fixed_points, 12U) << "seed " << seed;
  }
}

TEST(Permutation, SpreadsAPrefixOverTheWholeRange) {
  // The first 500 of 1,000 must not be predominantly from one half: mean 250, deviation 11.2.
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const Permutation permutation(1000, seed);
    int low = 0;
    for (std::uint32_t i = 0; i < 500; ++i) low += permutation(i) < 500 ? 1 : 0;
    EXPECT_NEAR(low, 250, 67) << "seed " << seed;
  }
}

}  // namespace
}  // namespace skep
