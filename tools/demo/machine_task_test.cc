// What the devices of `./run demo --task anomaly` get, on NAB's real series.
#include "machine_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace skep::demo {
namespace {

constexpr std::size_t kHours = 24;

// The same stretch of 23 hours in both: two windows that are an hour apart.
bool follows(const Sample& earlier, const Sample& later) {
  return std::equal(earlier.features.begin() + 1, earlier.features.end(), later.features.begin());
}

bool shares_hours(const Sample& left, const Sample& right) {
  // Features of a temperature hardly repeat: six equal ones in a row are the same hours.
  constexpr std::ptrdiff_t kRun = 6;
  const auto has_run_of = [](const Sample& one, const Sample& other) {
    return std::search(one.features.begin(), one.features.end(), other.features.begin(),
                       other.features.begin() + kRun) != one.features.end();
  };
  return has_run_of(left, right) || has_run_of(right, left);
}

TEST(MachineTask, WindowsAreDaysOfOneMachine) {
  const LearningTask task = load_task("anomaly", SKEP_DATA_DIR, 1);
  EXPECT_FALSE(task.has_classes());
  EXPECT_EQ(task.spec.inputs, kHours);
  // 1,891 hours, some of each set lost at the borders of blocks and failures.
  EXPECT_GT(task.training.size(), 1000U);
  EXPECT_GT(task.held_out.size(), 100U);
  ASSERT_EQ(task.failures.size(), 4U);
  for (const auto& failure : task.failures) {
    // NAB's windows are 47 hours and 10 minutes wide.
    EXPECT_GE(failure.size(), 47U);
    EXPECT_LE(failure.size(), 48U);
    for (std::size_t i = 1; i < failure.size(); ++i)
      EXPECT_TRUE(follows(failure[i - 1], failure[i]));
  }
  std::size_t in_order = 0;
  for (std::size_t i = 1; i < task.training.size(); ++i) {
    in_order += follows(task.training[i - 1], task.training[i]) ? 1U : 0U;
  }
  // All but those at which a stretch begins: at most one for each block and failure.
  EXPECT_GE(in_order + 12, task.training.size());
}

TEST(MachineTask, NoHourIsBothHeldOutAndTrainedWith) {
  for (const std::uint32_t seed : {1U, 2U, 3U, 4U, 5U}) {
    const LearningTask task = load_task("anomaly", SKEP_DATA_DIR, seed);
    for (const Sample& held_out : task.held_out) {
      EXPECT_TRUE(std::ranges::none_of(
          task.training, [&](const Sample& sample) { return shares_hours(held_out, sample); }));
    }
  }
}

TEST(MachineTask, TheSeedSaysWhatIsHeldOut) {
  const auto held_out = [](std::uint32_t seed) {
    return load_task("anomaly", SKEP_DATA_DIR, seed).held_out.front().features;
  };
  EXPECT_EQ(held_out(1), held_out(1));
  EXPECT_NE(held_out(1), held_out(2));
}

}  // namespace
}  // namespace skep::demo
