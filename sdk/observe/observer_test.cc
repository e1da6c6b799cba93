#include "skep/observe/observer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace skep::observe {
namespace {

using Frame = std::vector<std::int32_t>;

// Two channels, windows of two frames of two readings: a sample has four features.
class ObserverTest : public testing::Test {
 protected:
  static constexpr WindowOptions kWindow{.channels = 2, .frames = 2, .stride = 2};

  [[nodiscard]] ObserverParts parts() {
    return {.buffer = buffer_,
            .policy = policy_,
            .scaler = &scaler_,
            .window = &window_,
            .anomalies = &anomalies_,
            .features = features_};
  }

  std::vector<std::int16_t> samples_ = std::vector<std::int16_t>(5 * 8);
  std::vector<ChannelMoments> moments_ = std::vector<ChannelMoments>(2);
  std::vector<std::int32_t> readings_ = std::vector<std::int32_t>(6);
  std::vector<std::int16_t> features_ = std::vector<std::int16_t>(4);
  SampleBuffer buffer_{samples_, {.feature_count = 4, .label_count = 2}};
  TrainingPolicy policy_{{.least_samples = 2, .enough_new_samples = 3}, {}};
  FeatureScaler scaler_{moments_, {.memory = 4, .output_exponent = -8}};
  SlidingWindow window_{readings_, kWindow};
  AnomalyDetector anomalies_{{.rank_q16 = 65536, .warm_up = 3, .quiet_losses = 1}};
};

TEST_F(ObserverTest, ReadingsBecomeFeaturesOnceScalerAndWindowAreReady) {
  Observer observer(parts());
  // Frame means (0, 40), (10, 40), (0, 40), (10, 40): mean 5 and deviation 5; 40 and none.
  std::vector<std::size_t> sizes;
  for (int frame = 0; frame < 4; ++frame) {
    for (const std::int32_t offset : {-1, 1}) {
      const Result<Features> features =
          observer.take(Frame{(frame % 2) * 10 + offset, 40 - offset}, 0);
      ASSERT_TRUE(features.ok());
      sizes.push_back(features->size());
    }
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{0, 0, 0, 0, 0, 0, 0, 4}));
  // Oldest frame first, −1 and +1 deviations at 2^-8.
  EXPECT_EQ(features_, (std::vector<std::int16_t>{-256, 0, 256, 0}));
}

TEST_F(ObserverTest, ScoresASampleWithoutLearning) {
  Observer observer(parts());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(observer.take(Frame{i / 2 % 2 * 10, 40}, 0).ok());
  const std::int64_t mean = moments_[0].mean_q24;
  const Result<Features> features = observer.features_of(Frame{0, 40, 10, 40});
  ASSERT_TRUE(features.ok());
  EXPECT_EQ(features_, (std::vector<std::int16_t>{-256, 0, 256, 0}));
  EXPECT_EQ(moments_[0].mean_q24, mean);
  EXPECT_EQ(observer.features_of(Frame{0, 40}).status(), Status::kInvalidArgument);
}

TEST_F(ObserverTest, KeepsWhatIsNormalAndLeavesAnomaliesOut) {
  Observer observer(parts());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(observer.take(Frame{i / 2 % 2 * 10, 40}, 0).ok());
  for (int i = 0; i < 3; ++i) {
    const Result<Observation> normal = observer.settle(0, 8, 1, true);
    ASSERT_TRUE(normal.ok());
    EXPECT_TRUE(normal->is_sample);
    EXPECT_TRUE(normal->is_kept);
    ASSERT_TRUE(normal->score.has_value());
    EXPECT_FALSE(normal->score->is_anomaly);
  }
  const Result<Observation> anomaly = observer.settle(0, 9, 1, true);
  ASSERT_TRUE(anomaly.ok());
  EXPECT_TRUE(anomaly->score->is_anomaly);
  EXPECT_TRUE(anomaly->score->begins_alarm);
  EXPECT_FALSE(anomaly->is_kept);
  EXPECT_EQ(buffer_.count(), 3U);
  EXPECT_EQ(policy_.new_samples(), 3U);
}

TEST_F(ObserverTest, WithoutAModelSamplesAreKeptUnjudged) {
  Observer observer(parts());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(observer.take(Frame{i / 2 % 2 * 10, 40}, 0).ok());
  const Result<Observation> observation = observer.settle(1, std::nullopt, 0, true);
  ASSERT_TRUE(observation.ok());
  EXPECT_TRUE(observation->is_kept);
  EXPECT_FALSE(observation->score.has_value());
}

TEST_F(ObserverTest, WhileARoundTrainsTheBufferStays) {
  Observer observer(parts());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(observer.take(Frame{i / 2 % 2 * 10, 40}, 0).ok());
  const Result<Observation> observation = observer.settle(1, std::nullopt, 1, false);
  ASSERT_TRUE(observation.ok());
  EXPECT_FALSE(observation->is_kept);
  EXPECT_EQ(buffer_.count(), 0U);
  EXPECT_EQ(policy_.new_samples(), 0U);
}

TEST_F(ObserverTest, TakesPartByItsPolicy) {
  Observer observer(parts());
  EXPECT_FALSE(observer.takes_part());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(observer.take(Frame{i / 2 % 2 * 10, 40}, 0).ok());
  ASSERT_TRUE(observer.settle(0, std::nullopt, 0, true).ok());
  ASSERT_TRUE(observer.settle(0, std::nullopt, 0, true).ok());
  EXPECT_TRUE(observer.takes_part());
  observer.on_trained();
  EXPECT_FALSE(observer.takes_part());
}

TEST_F(ObserverTest, RefusesBadReadingsAndChangesNothing) {
  Observer observer(parts());
  ASSERT_TRUE(observer.take(Frame{1, 2}, 0).ok());
  for (const Frame& bad : {Frame{}, Frame{1}, Frame{1, 2, 3}, Frame{1, kMinReading - 1}}) {
    EXPECT_EQ(observer.take(bad, 0).status(), Status::kInvalidArgument);
  }
  EXPECT_EQ(observer.take(Frame{1, 2}, 2).status(), Status::kInvalidArgument) << "a label of none";
  ASSERT_TRUE(observer.take(Frame{3, 4}, 1).ok());
  EXPECT_EQ(window_.frame(0)[0], 2) << "the bad ones are not in the mean";
}

TEST_F(ObserverTest, RefusesPartsThatDoNotFit) {
  const auto refuses = [](const ObserverParts& parts) {
    Observer observer(parts);
    return observer.take(Frame{1, 2}, 0).status() == Status::kInvalidArgument &&
           observer.features_of(Frame{1, 2, 3, 4}).status() == Status::kInvalidArgument;
  };
  ObserverParts few_features = parts();
  few_features.features = std::span(features_).first(3);
  EXPECT_TRUE(refuses(few_features));
  ObserverParts other_channels = parts();
  std::vector<ChannelMoments> one(1);
  FeatureScaler of_one(one, {});
  other_channels.scaler = &of_one;
  EXPECT_TRUE(refuses(other_channels));
  ObserverParts bad_options = parts();
  FeatureScaler learns_nothing(moments_, {.memory = 0});
  bad_options.scaler = &learns_nothing;
  EXPECT_TRUE(refuses(bad_options));
  ObserverParts other_window = parts();
  SlidingWindow longer(readings_, {.channels = 2, .frames = 3});
  other_window.window = &longer;
  EXPECT_TRUE(refuses(other_window));
}

TEST_F(ObserverTest, WithoutScalerAndWindowReadingsAreTheFeatures) {
  Observer observer({.buffer = buffer_, .policy = policy_, .features = features_});
  const Result<Features> features = observer.take(Frame{1, -2, INT16_MAX, INT16_MIN}, 1);
  ASSERT_TRUE(features.ok());
  EXPECT_EQ(features_, (std::vector<std::int16_t>{1, -2, INT16_MAX, INT16_MIN}));
  EXPECT_EQ(observer.take(Frame{1, 2, 3, 32768}, 1).status(), Status::kInvalidArgument);
  EXPECT_FALSE(observer.settle(1, UINT32_MAX, 1, true)->score->is_anomaly) << "nobody judges";
  EXPECT_EQ(observer.state_bytes(), 0U);
  EXPECT_FALSE(observer.needs_saving());
}

TEST_F(ObserverTest, WhatItLearnedSurvivesAReset) {
  Observer observer(parts());
  EXPECT_FALSE(observer.needs_saving());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(observer.take(Frame{i / 2 % 2 * 10, 40}, 0).ok());
  EXPECT_TRUE(observer.needs_saving()) << "the scaler is ready";
  std::vector<std::uint8_t> state(observer.state_bytes());
  ASSERT_EQ(observer.save(state), Status::kOk);
  EXPECT_TRUE(observer.needs_saving()) << "writing it may fail";
  observer.on_saved();
  EXPECT_FALSE(observer.needs_saving());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(observer.settle(0, 8, 1, true).ok());
  EXPECT_TRUE(observer.needs_saving()) << "there is a threshold";
  ASSERT_EQ(observer.save(state), Status::kOk);

  std::vector<ChannelMoments> moments(2);
  FeatureScaler scaler(moments, {.memory = 4, .output_exponent = -8});
  AnomalyDetector anomalies({.rank_q16 = 65536, .warm_up = 3});
  ObserverParts after = parts();
  after.scaler = &scaler;
  after.anomalies = &anomalies;
  Observer restarted(after);
  ASSERT_EQ(restarted.restore(state), Status::kOk);
  EXPECT_FALSE(restarted.needs_saving());
  EXPECT_TRUE(restarted.judge(9).is_anomaly);
  ASSERT_TRUE(restarted.features_of(Frame{0, 40, 10, 40}).ok());
  EXPECT_EQ(features_, (std::vector<std::int16_t>{-256, 0, 256, 0}));

  EXPECT_EQ(restarted.restore(Bytes(state).first(3)), Status::kMalformed);
  EXPECT_EQ(restarted.save(std::span(state).first(3)), Status::kInvalidArgument);
  state[0] = 9;
  EXPECT_EQ(restarted.restore(state), Status::kUnsupportedVersion);
}

}  // namespace
}  // namespace skep::observe
