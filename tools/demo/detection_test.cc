#include "detection.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace skep::demo {
namespace {

// The feature is the loss.
std::uint32_t feature_of(const Sample& sample) {
  return static_cast<std::uint32_t>(sample.features.at(0));
}

std::vector<Sample> samples_of(std::initializer_list<std::int16_t> losses) {
  std::vector<Sample> samples;
  for (const std::int16_t loss : losses) samples.push_back({{loss}, 0});
  return samples;
}

// Losses of 0 … 9 before: the threshold is 9, what the estimator stores exactly.
LearningTask task_of(std::initializer_list<std::int16_t> held_out,
                     const std::vector<std::vector<Sample>>& failures) {
  LearningTask task;
  for (std::int16_t i = 0; i < 200; ++i) task.training.push_back({{std::int16_t(i % 10)}, 0});
  task.held_out = samples_of(held_out);
  task.failures = failures;
  return task;
}

TEST(Detection, CountsFailuresOnceAndHeldOutWindowsEach) {
  const LearningTask task =
      task_of({1, 9, 20, 30}, {samples_of({3, 40, 50}), samples_of({9, 2}), samples_of({10})});
  const Detection found = detect(task, feature_of);
  EXPECT_EQ(found.failures_found, 2U);
  EXPECT_EQ(found.false_alarms, 2U);
}

TEST(Detection, WhatItJudgesTeachesItNothing) {
  LearningTask task = task_of({1}, {samples_of({12})});
  task.held_out.resize(5000, {{11}, 0});
  const Detection found = detect(task, feature_of);
  EXPECT_EQ(found.false_alarms, 4999U);
  EXPECT_EQ(found.failures_found, 1U);
}

TEST(Detection, AreaUnderTheCurveIsTheShareOfPairsInOrder) {
  const auto area = [](std::initializer_list<std::int16_t> held_out,
                       std::initializer_list<std::int16_t> failure) {
    return detect(task_of(held_out, {samples_of(failure)}), feature_of).area_under_curve;
  };
  EXPECT_EQ(area({1, 2}, {3, 4}), 1.0);
  EXPECT_EQ(area({3, 4}, {1, 2}), 0.0);
  EXPECT_EQ(area({5, 5}, {5}), 0.5);
  EXPECT_EQ(area({1, 3}, {2, 3}), 0.625);  // 2>1, 3>1, 3=3
}

}  // namespace
}  // namespace skep::demo
