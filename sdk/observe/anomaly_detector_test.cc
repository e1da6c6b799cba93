#include "skep/observe/anomaly_detector.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <vector>

#include "skep/core/prng.h"

namespace skep::observe {
namespace {

constexpr AnomalyOptions kOptions{
    .rank_q16 = 58982, .factor_q8 = 512, .warm_up = 10, .memory = 100, .quiet_losses = 3};

AnomalyDetector trained(const AnomalyOptions& options = kOptions, int losses = 50) {
  AnomalyDetector detector(options);
  for (int i = 0; i < losses; ++i) detector.learn(8);
  return detector;
}

TEST(AnomalyDetector, CallsNothingAnAnomalyWhileItWarmsUp) {
  AnomalyDetector detector(kOptions);
  for (std::uint32_t i = 0; i < kOptions.warm_up; ++i) {
    const Score score = detector.learn(i == 3 ? UINT32_MAX : 8);
    EXPECT_FALSE(score.is_anomaly);
    EXPECT_EQ(score.threshold_q16, UINT32_MAX);
  }
  EXPECT_NE(detector.threshold_q16(), UINT32_MAX);
}

TEST(AnomalyDetector, ThresholdIsTheQuantileTimesTheFactor) {
  const AnomalyDetector detector = trained();
  EXPECT_EQ(detector.threshold_q16(), 16U);
  EXPECT_EQ(detector.judge(16), (Score{.loss_q16 = 16, .threshold_q16 = 16, .is_anomaly = false}));
  EXPECT_EQ(detector.judge(17),
            (Score{.loss_q16 = 17, .threshold_q16 = 16, .is_anomaly = true, .begins_alarm = true}));
}

TEST(AnomalyDetector, JudgingChangesNothing) {
  const AnomalyDetector detector = trained();
  for (int i = 0; i < 1000; ++i) (void)detector.judge(UINT32_MAX);
  EXPECT_TRUE(detector.judge(17).begins_alarm);
  EXPECT_EQ(detector.threshold_q16(), 16U);
}

TEST(AnomalyDetector, AnAlarmBeginsOnceAndEndsAfterQuiet) {
  AnomalyDetector detector = trained(
      {.rank_q16 = 58982, .factor_q8 = 512, .warm_up = 10, .memory = 1000, .quiet_losses = 3}, 500);
  EXPECT_TRUE(detector.learn(100).begins_alarm);
  EXPECT_FALSE(detector.learn(100).begins_alarm);
  detector.learn(8);
  detector.learn(8);
  Score score = detector.learn(100);
  EXPECT_TRUE(score.is_anomaly);
  EXPECT_FALSE(score.begins_alarm) << "two quiet losses are not three";
  for (int i = 0; i < 3; ++i) detector.learn(8);
  EXPECT_TRUE(detector.learn(100).begins_alarm);
}

TEST(AnomalyDetector, AnAlarmThatLastsBeginsAgain) {
  AnomalyDetector detector = trained({.rank_q16 = 58982,
                                      .factor_q8 = 512,
                                      .warm_up = 10,
                                      .memory = 1000,
                                      .quiet_losses = 3,
                                      .repeat_losses = 5},
                                     500);
  std::vector<int> alarms;
  for (int i = 0; i < 14; ++i) {
    if (detector.learn(100).begins_alarm) alarms.push_back(i);
  }
  EXPECT_EQ(alarms, (std::vector<int>{0, 6, 12}));
  detector.learn(8);
  detector.learn(8);
  EXPECT_FALSE(detector.learn(100).begins_alarm) << "four losses since the last";
  detector.learn(8);
  EXPECT_FALSE(detector.judge(8).begins_alarm) << "no anomaly";
  EXPECT_TRUE(detector.judge(100).begins_alarm);
}

TEST(AnomalyDetector, AnExtremeTeachesNoMoreThanOneBucket) {
  AnomalyDetector extreme = trained();
  AnomalyDetector mild = trained();
  for (int i = 0; i < 30; ++i) {
    extreme.learn(UINT32_MAX);
    mild.learn(extreme.threshold_q16() + extreme.threshold_q16() / 8 + 1);
  }
  EXPECT_LT(extreme.threshold_q16(), 1000U);
}

// Of 1,000 losses one in a hundred lies above the threshold: an incident of ten does not move it.
TEST(AnomalyDetector, AnIncidentDoesNotMoveTheThresholdButAStateThatStaysDoes) {
  for (const std::uint16_t factor_q8 : {std::uint16_t{256}, std::uint16_t{512}}) {
    AnomalyDetector detector =
        trained({.rank_q16 = 64881, .factor_q8 = factor_q8, .warm_up = 10, .memory = 1000}, 1000);
    const std::uint32_t threshold = detector.threshold_q16();
    int anomalies = 0;
    while (detector.learn(800).is_anomaly) {
      ASSERT_LT(++anomalies, 5000);
      if (anomalies < 10) {
        EXPECT_EQ(detector.threshold_q16(), threshold);
      }
    }
    EXPECT_GT(anomalies, 50) << "bucket by bucket";
  }
}

RC_GTEST_PROP(AnomalyDetector, NoLossOverflowsIt, ()) {
  AnomalyDetector detector({.rank_q16 = *rc::gen::inRange(1U, 65537U),
                            .factor_q8 = *rc::gen::arbitrary<std::uint16_t>(),
                            .warm_up = 1,
                            .memory = 10});
  for (const std::uint32_t loss : *rc::gen::arbitrary<std::vector<std::uint32_t>>()) {
    const Score score = detector.learn(loss);
    RC_ASSERT(score.is_anomaly == (loss > score.threshold_q16));
    if (score.begins_alarm) RC_ASSERT(score.is_anomaly);
  }
}

TEST(AnomalyDetector, KnowsItsThresholdAfterAReset) {
  const AnomalyDetector before = trained();
  std::vector<std::uint8_t> state(AnomalyDetector::kStateBytes);
  ASSERT_EQ(before.save(state), Status::kOk);
  EXPECT_EQ(state, (std::vector<std::uint8_t>{1, 16, 0, 0, 0}));
  AnomalyDetector after(kOptions);
  ASSERT_EQ(after.restore(state), Status::kOk);
  EXPECT_TRUE(after.learn(17).is_anomaly);
  for (int i = 0; i < 9; ++i) after.learn(4);
  EXPECT_EQ(after.threshold_q16(), 8U) << "its own again after the warm-up; the 17 is one in ten";
}

TEST(AnomalyDetector, RefusesOtherStates) {
  AnomalyDetector detector(kOptions);
  EXPECT_EQ(detector.restore({}), Status::kMalformed);
  EXPECT_EQ(detector.restore(std::vector<std::uint8_t>{2, 0, 0, 0, 0}),
            Status::kUnsupportedVersion);
  EXPECT_EQ(detector.restore(std::vector<std::uint8_t>{1, 0, 0, 0}), Status::kMalformed);
  EXPECT_EQ(detector.threshold_q16(), UINT32_MAX);
  std::vector<std::uint8_t> small(4, 9);
  EXPECT_EQ(detector.save(small), Status::kInvalidArgument);
  EXPECT_EQ(small, std::vector<std::uint8_t>(4, 9));
}

}  // namespace
}  // namespace skep::observe
