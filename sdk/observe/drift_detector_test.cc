#include "skep/observe/drift_detector.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace skep::observe {
namespace {

constexpr std::uint32_t kOne = 65536;  // Q16.16

DriftDetector with_reference(const DriftOptions& options, std::uint32_t loss_q16) {
  DriftDetector detector(options);
  for (int i = 0; i < options.reference_losses; ++i) detector.add(loss_q16);
  return detector;
}

// Page's recursion in double, whose integers below 2^53 are exact.
RC_GTEST_PROP(DriftDetector, IsPagesRecursion, ()) {
  const DriftOptions options{.reference_losses = *rc::gen::inRange<std::uint16_t>(1, 10),
                             .slack_q8 = *rc::gen::inRange<std::uint16_t>(0, 600),
                             .limit_q8 = *rc::gen::inRange<std::uint16_t>(0, 4000)};
  const auto losses =
      *rc::gen::container<std::vector<std::uint32_t>>(60, rc::gen::inRange(0U, 4 * kOne));
  DriftDetector detector(options);
  double reference = 0;
  for (int i = 0; i < options.reference_losses; ++i) {
    RC_ASSERT(detector.reference_q16() == 0U);
    reference += losses[static_cast<std::size_t>(i)];
    detector.add(losses[static_cast<std::size_t>(i)]);
  }
  reference = std::max(std::floor(reference / options.reference_losses + 0.5), 256.0);
  RC_ASSERT(detector.reference_q16() == reference);
  double excess = 0;
  bool has_drifted = false;
  for (auto at = static_cast<std::size_t>(options.reference_losses); at < losses.size(); ++at) {
    detector.add(losses[at]);
    const double accepted = reference + std::floor(reference * options.slack_q8 / 256);
    excess = std::max(0.0, excess + losses[at] - accepted);
    has_drifted = has_drifted || excess > std::floor(reference * options.limit_q8 / 256);
    RC_ASSERT(detector.has_drifted() == has_drifted);
  }
}

RC_GTEST_PROP(DriftDetector, LossesWithinTheSlackAreNoDrift, ()) {
  const auto loss = *rc::gen::inRange(256U, 1U << 30U);
  DriftDetector detector = with_reference({}, loss);
  for (int i = 0; i < 1000; ++i) detector.add(loss + loss / 4);
  RC_ASSERT(!detector.has_drifted());
}

RC_GTEST_PROP(DriftDetector, LargerLossesAreNoticedWithinTheBound, ()) {
  const DriftOptions options{};
  const auto loss = *rc::gen::inRange(256U, 1U << 26U);
  const auto gap = *rc::gen::inRange(1U, 4U << 26U);
  DriftDetector detector = with_reference(options, loss);
  const std::uint64_t bound = std::uint64_t{loss} * 16 / gap + 1;
  RC_PRE(bound < 100'000);
  for (std::uint64_t i = 0; i < bound; ++i) {
    RC_ASSERT(!detector.has_drifted());
    detector.add(loss + loss / 4 + gap);
  }
  RC_ASSERT(detector.has_drifted());
}

TEST(DriftDetector, ExtremesDoNotOverflow) {
  DriftDetector detector =
      with_reference({.reference_losses = 65535, .slack_q8 = 65535, .limit_q8 = 65535}, UINT32_MAX);
  EXPECT_EQ(detector.reference_q16(), UINT32_MAX);
  for (int i = 0; i < 1000; ++i) detector.add(UINT32_MAX);
  EXPECT_FALSE(detector.has_drifted());
  DriftDetector small = with_reference({.limit_q8 = 65535}, 0);
  EXPECT_EQ(small.reference_q16(), 256U) << "a perfect fit is no reason to call anything drift";
  small.add(UINT32_MAX);
  EXPECT_TRUE(small.has_drifted());
}

TEST(DriftDetector, StartsAnew) {
  DriftDetector detector = with_reference({}, kOne);
  for (int i = 0; i < 20; ++i) detector.add(4 * kOne);
  EXPECT_TRUE(detector.has_drifted());
  detector.restart();
  EXPECT_FALSE(detector.has_drifted());
  EXPECT_EQ(detector.reference_q16(), 0U);
  for (int i = 0; i < 500; ++i) detector.add(4 * kOne);
  EXPECT_FALSE(detector.has_drifted()) << "what was drift is the reference now";
  EXPECT_EQ(detector.reference_q16(), 4 * kOne);
}

}  // namespace
}  // namespace skep::observe
