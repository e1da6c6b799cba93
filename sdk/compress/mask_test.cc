#include "mask.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "testing/deltas.h"

namespace skep::compress {
namespace {

using testing::in_range;

RC_GTEST_PROP(Mask, HasRisingIndicesBelowTheDimension, ()) {
  const auto dimension = *in_range<std::uint32_t>(1, 5000);
  const auto count = *in_range<std::uint32_t>(1, dimension + 1);
  Mask mask(dimension, count, *rc::gen::arbitrary<std::uint32_t>());
  std::uint32_t least = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t index = mask.next();
    RC_ASSERT(index >= least && index < dimension);
    least = index + 1;
  }
}

TEST(Mask, OfAllIsEveryIndex) {
  Mask mask(100, 100, 7);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(mask.next(), i);
}

// Counts are binomial(n, K / d): one off by more than √(n ln(2d / 10^-9) / 2) has a probability
// below 10^-9 for all of them together (Hoeffding 1963, theorem 1). The seeds are fixed.
TEST(Mask, TakesEachIndexEquallyOften) {
  constexpr std::uint32_t kDimension = 50;
  constexpr std::uint32_t kCount = 7;
  constexpr std::uint32_t kDraws = 20'000;
  std::vector<std::uint32_t> taken(kDimension);
  for (std::uint32_t seed = 0; seed < kDraws; ++seed) {
    Mask mask(kDimension, kCount, mix_seed(seed, 1));
    for (std::uint32_t i = 0; i < kCount; ++i) ++taken[mask.next()];
  }
  const double bound = std::sqrt(kDraws * std::log(2.0 * kDimension / 1e-9) / 2);
  for (const std::uint32_t count : taken) {
    EXPECT_NEAR(count, double{kDraws} * kCount / kDimension, bound);
  }
}

}  // namespace
}  // namespace skep::compress
