#include "skep/observe/quantile_estimator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "skep/core/prng.h"

namespace skep::observe {
namespace {

std::uint32_t exact_quantile(std::vector<std::uint32_t> values, std::uint32_t rank_q16) {
  std::ranges::sort(values);
  const auto rank = (std::uint64_t{rank_q16} * values.size() + 0xFFFFU) >> 16U;
  return values[std::max<std::uint64_t>(rank, 1) - 1];
}

std::uint32_t random_value() {
  return *rc::gen::arbitrary<std::uint32_t>() >> *rc::gen::inRange(0U, 32U);
}

RC_GTEST_PROP(QuantileEstimator, NeverBelowAndAtMostAnEighthAbove, ()) {
  const auto values = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::uint32_t>>(rc::gen::exec(random_value)));
  const auto rank_q16 = *rc::gen::inRange(1U, 65537U);
  QuantileEstimator estimator(QuantileEstimator::kMaxMemory);
  for (const std::uint32_t value : values) estimator.add(value);
  const std::uint64_t exact = exact_quantile(values, rank_q16);
  const std::uint64_t got = estimator.quantile(rank_q16);
  RC_ASSERT(got >= exact);
  RC_ASSERT(got <= exact + exact / 8);
}

TEST(QuantileEstimator, KeepsItsBoundAtEveryBucketsEdges) {
  for (std::uint64_t octave = 1; octave <= 1ULL << 31U; octave *= 2) {
    for (std::uint64_t step = 8; step <= 16; ++step) {
      for (const std::uint64_t value : {octave * step / 8 - 1, octave * step / 8}) {
        if (value > UINT32_MAX) continue;
        QuantileEstimator estimator(1);
        estimator.add(static_cast<std::uint32_t>(value));
        // memory 1: the second value would be the first to halve.
        const std::uint64_t got = estimator.quantile(65536);
        EXPECT_GE(got, value);
        EXPECT_LE(got, value + value / 8);
      }
    }
  }
}

// Against exact weights that halve whenever the estimator's do: the tail's weight differs by less
// than one count, however often it was halved.
RC_GTEST_PROP(QuantileEstimator, HalvingKeepsEveryRank, ()) {
  const auto memory = *rc::gen::inRange<std::uint16_t>(1, 50);
  const auto values = *rc::gen::container<std::vector<std::uint32_t>>(
      400, rc::gen::map(rc::gen::inRange(0U, 8U), [](std::uint32_t v) { return v; }));
  QuantileEstimator estimator(memory);
  std::vector<double> weights(8);
  for (const std::uint32_t value : values) {
    const std::uint32_t before = estimator.weight();
    estimator.add(value);
    weights[value] += 1;
    if (estimator.weight() <= before) {
      for (double& weight : weights) weight /= 2;
    }
  }
  for (const std::uint32_t rank_q16 : {1U, 32768U, 60000U, 65536U}) {
    const std::uint32_t got = estimator.quantile(rank_q16);
    double at_or_below = 0;
    double total = 0;
    for (std::uint32_t v = 0; v < 8; ++v) {
      total += weights[v];
      if (v <= got) at_or_below += weights[v];
    }
    const double below = at_or_below - weights[got];
    const double target = rank_q16 / 65536.0;
    const double slack = 1.0 / estimator.weight();
    RC_ASSERT(at_or_below / total >= target - 2 * slack);
    RC_ASSERT(below / total <= target + 2 * slack);
  }
}

TEST(QuantileEstimator, ForgetsWithTheStatedHalfLife) {
  constexpr std::uint16_t kMemory = 500;
  QuantileEstimator estimator(kMemory);
  for (int i = 0; i < 10 * kMemory; ++i) estimator.add(1);
  // After n half-lives of another value its share is 1 - 2^-n, give or take a count.
  for (int half_lives = 1; half_lives <= 6; ++half_lives) {
    for (int i = 0; i < kMemory; ++i) estimator.add(1000);
    const double old_share = std::ldexp(1.0, -half_lives);
    const auto rank = [](double share) { return static_cast<std::uint32_t>(share * 65536); };
    EXPECT_EQ(estimator.quantile(rank(old_share - 2.0 / kMemory)), 1U) << half_lives;
    EXPECT_GE(estimator.quantile(rank(old_share + 2.0 / kMemory)), 1000U) << half_lives;
  }
}

TEST(QuantileEstimator, CountersNeverOverflow) {
  QuantileEstimator estimator(QuantileEstimator::kMaxMemory);
  for (int i = 0; i < 300'000; ++i) {
    estimator.add(UINT32_MAX);
    ASSERT_LT(estimator.weight(), 65536U);
  }
  EXPECT_EQ(estimator.quantile(65536), UINT32_MAX);
  EXPECT_EQ(estimator.quantile(1), UINT32_MAX);
}

TEST(QuantileEstimator, KnowsNothingAtFirst) {
  QuantileEstimator estimator(0);
  EXPECT_EQ(estimator.quantile(65536), 0U);
  estimator.add(7);
  EXPECT_EQ(estimator.quantile(1), 7U);
  EXPECT_EQ(sizeof(QuantileEstimator), 488U);
}

}  // namespace
}  // namespace skep::observe
