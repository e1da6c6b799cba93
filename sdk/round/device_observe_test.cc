// A Device that learns from what it observes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "device_test_support.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"

namespace skep::round {
namespace {

using observe::Adaptation;
using observe::Observation;
using observe::Observer;

constexpr std::uint16_t kInputs = 4;
constexpr std::uint16_t kClasses = 3;
constexpr std::uint32_t kCapacity = 64;

constexpr ModelSpec kAutoencoder = learn_testing::spec_of(
    {1, 1, kInputs}, -12, Loss::kMeanSquaredError,
    {{LayerKind::kDense, 2}, {LayerKind::kTanh, 2}, {LayerKind::kDense, kInputs}});

// What the model that the gateway serves makes of a sample, by an engine of its own.
std::uint32_t loss_of(const FakeGateway& gateway, const ModelSpec& spec,
                      const std::vector<std::int16_t>& features, std::uint16_t label) {
  const learn::MemoryPlan plan = round_testing::take(learn::plan_memory(spec));
  std::vector<std::uint64_t> memory(plan.inference_bytes / 8 + 1);
  learn::Engine engine = round_testing::take(learn::Engine::create(
      spec, learn::Purpose::kInference, std::as_writable_bytes(std::span(memory))));
  EXPECT_EQ(engine.load(SpanSource(gateway.weights)), Status::kOk);
  return round_testing::take(engine.evaluate(features, label));
}

struct FakeEnergy final : EnergySource {
  EnergyState energy() override { return state; }
  EnergyState state;
};

// What lies in the device's RAM: a reset makes another one.
struct ObserverRam {
  explicit ObserverRam(EnergySource* energy)
      : policy({.least_samples = 10, .enough_new_samples = 20, .drift_new_samples = 5}, {},
               energy) {}

  std::vector<std::int16_t> samples = std::vector<std::int16_t>(kCapacity * (kInputs + 1));
  std::vector<observe::ChannelMoments> moments = std::vector<observe::ChannelMoments>(kInputs);
  std::vector<std::int16_t> features = std::vector<std::int16_t>(kInputs);
  observe::SampleBuffer buffer{samples, {.feature_count = kInputs, .label_count = kClasses}};
  observe::TrainingPolicy policy;
  observe::FeatureScaler scaler{moments, {.memory = 8, .output_exponent = -12}};
  observe::AnomalyDetector anomalies{{.rank_q16 = 65536, .factor_q8 = 512, .warm_up = 12}};
  Observer plain{{.buffer = buffer, .policy = policy, .features = features}};
  Observer scaling{{.buffer = buffer,
                    .policy = policy,
                    .scaler = &scaler,
                    .anomalies = &anomalies,
                    .features = features}};
};

class DeviceObserveTest : public testing::Test {
 protected:
  explicit DeviceObserveTest(const ModelSpec& spec = DeviceWorld::kSpec) : world_(spec) {}

  void boot(Observer ObserverRam::*observer = &ObserverRam::plain) {
    ram_ = std::make_unique<ObserverRam>(&energy_);
    world_.observer = &(ram_.get()->*observer);
    world_.source = &ram_->buffer;
    world_.boot();
  }

  void reset(Observer ObserverRam::*observer) {
    auto before = std::move(ram_);  // the old device still refers to it
    ram_ = std::make_unique<ObserverRam>(&energy_);
    world_.observer = &(ram_.get()->*observer);
    world_.source = &ram_->buffer;
    world_.reset();
  }

  Result<Observation> observe(std::uint32_t index) {
    const round_testing::Sample& sample =
        world_.samples.samples[index % world_.samples.samples.size()];
    const std::vector<std::int32_t> readings(sample.features.begin(), sample.features.end());
    return world_.device->observe(readings, sample.label);
  }

  void observe_many(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) ASSERT_TRUE(observe(next_++).ok());
  }

  bool train_once() {
    const int stored = world_.count(EventKind::kUpdateStored);
    return world_.run_until([&] { return world_.count(EventKind::kUpdateStored) > stored; });
  }

  DeviceWorld world_;
  FakeGateway& gateway_ = world_.gateway;
  FakeEnergy energy_;
  std::unique_ptr<ObserverRam> ram_;
  std::uint32_t next_ = 0;
};

TEST_F(DeviceObserveTest, WhatIsObservedIsTrainedOn) {
  boot();
  observe_many(24);
  ASSERT_TRUE(world_.run_until_accepted(1));
  ASSERT_EQ(gateway_.received().size(), 1U);
  EXPECT_EQ(gateway_.received()[0].sample_count, 24U);
  EXPECT_LT(gateway_.received()[0].loss_after_q16, gateway_.received()[0].loss_before_q16);
}

TEST_F(DeviceObserveTest, ARoundWaitsUntilThereIsSomethingToLearn) {
  boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kRoundPostponed) > 0; }));
  EXPECT_EQ(world_.device->model_version(), 1U) << "the model came all the same";
  world_.run(50);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 0);
  EXPECT_EQ(world_.device->state(), DeviceState::kObserving);
  EXPECT_GT(world_.last_wait_ms, 0U) << "it sleeps in between";
  observe_many(10);
  EXPECT_TRUE(world_.run_until_accepted(1)) << "the same round, still open";
}

TEST_F(DeviceObserveTest, LaterRoundsWaitForNewSamples) {
  boot();
  observe_many(24);
  ASSERT_TRUE(world_.run_until_accepted(1));
  gateway_.release_next_model();
  gateway_.open_next_round();
  world_.run(100);
  EXPECT_EQ(world_.device->model_version(), 2U);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 1);
  observe_many(20);
  EXPECT_TRUE(world_.run_until_accepted(2));
}

TEST_F(DeviceObserveTest, ARoundWaitsForEnergy) {
  boot();
  energy_.state = {.on_mains = false, .battery_percent = 5};
  observe_many(24);
  world_.run(100);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 0);
  EXPECT_GT(world_.count(EventKind::kRoundPostponed), 0);
  energy_.state.on_mains = true;
  EXPECT_TRUE(world_.run_until_accepted(1));
}

TEST_F(DeviceObserveTest, AClosedRoundIsNotWaitedFor) {
  boot();
  world_.run(50);
  gateway_.plan.state = skep_RoundState_ROUND_STATE_IDLE;
  gateway_.announce();
  observe_many(24);
  world_.run(100);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 0);
}

TEST_F(DeviceObserveTest, ScoreIsTheInstalledModelsLoss) {
  boot();
  world_.run(50);
  ASSERT_EQ(world_.device->model_version(), 1U);
  const Result<Observation> observation = observe(5);
  ASSERT_TRUE(observation.ok());
  ASSERT_TRUE(observation->score.has_value());

  const round_testing::Sample& sample = world_.samples.samples[5];
  EXPECT_EQ(observation->score->loss_q16,
            loss_of(gateway_, DeviceWorld::kSpec, sample.features, sample.label));
}

TEST_F(DeviceObserveTest, WithoutAModelThereIsNoScore) {
  boot();
  const Result<Observation> observation = observe(0);
  ASSERT_TRUE(observation.ok());
  EXPECT_TRUE(observation->is_kept);
  EXPECT_FALSE(observation->score.has_value());
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(kInputs)).status(), Status::kNotFound);
}

TEST_F(DeviceObserveTest, AClassifierHasNoAnomalyScore) {
  boot();
  world_.run(50);
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(kInputs)).status(),
            Status::kUnsupported);
}

class AutoencoderDeviceTest : public DeviceObserveTest {
 protected:
  AutoencoderDeviceTest() : DeviceObserveTest(kAutoencoder) {}

  Result<Observation> observe_value(std::int32_t value) {
    return world_.device->observe(std::vector<std::int32_t>{value, 0, -value, 0}, 0);
  }
};

TEST_F(AutoencoderDeviceTest, TrainsAndScoresWithoutLearning) {
  boot();
  observe_many(24);
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_LT(gateway_.received()[0].loss_after_q16, gateway_.received()[0].loss_before_q16);
  const std::vector<std::int16_t> features{100, -2000, 30000, 4};
  const std::vector<std::int32_t> sample(features.begin(), features.end());
  const std::uint32_t count = ram_->buffer.count();
  for (int i = 0; i < 100; ++i) {
    const Result<observe::Score> score = world_.device->score(sample);
    ASSERT_TRUE(score.ok());
    EXPECT_EQ(score->loss_q16, loss_of(gateway_, kAutoencoder, features, 0));
    EXPECT_FALSE(score->is_anomaly) << "nobody judges";
  }
  EXPECT_EQ(ram_->buffer.count(), count);
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(3)).status(), Status::kInvalidArgument);
}

TEST_F(AutoencoderDeviceTest, RaisesAnAlarmOnWhatItNeverSawAndDoesNotKeepIt) {
  boot(&ObserverRam::scaling);
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(kInputs)).status(), Status::kNotFound);
  world_.run(50);
  ASSERT_EQ(world_.device->model_version(), 1U);
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(kInputs)).status(), Status::kNotFound)
      << "the scale is not known";
  for (int i = 0; i < 30; ++i) {
    const Result<Observation> usual = observe_value(i % 2 == 0 ? 1000 : 1100);
    ASSERT_TRUE(usual.ok());
    EXPECT_FALSE(usual->score.has_value() && usual->score->is_anomaly);
  }
  const std::uint32_t count = ram_->buffer.count();
  const Result<observe::Score> asked =
      world_.device->score(std::vector<std::int32_t>{9000, 0, -9000, 0});
  ASSERT_TRUE(asked.ok());
  EXPECT_TRUE(asked->is_anomaly);
  const Result<Observation> unusual = observe_value(9000);
  ASSERT_TRUE(unusual.ok());
  EXPECT_TRUE(unusual->score->begins_alarm);
  EXPECT_EQ(unusual->score->loss_q16, asked->loss_q16);
  EXPECT_FALSE(unusual->is_kept);
  EXPECT_EQ(ram_->buffer.count(), count);
}

TEST_F(AutoencoderDeviceTest, HasNoScoreWhileItTrains) {
  boot();
  observe_many(24);
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(kInputs)).status(), Status::kBusy);
}

TEST_F(DeviceObserveTest, WhileItTrainsTheBufferStays) {
  boot();
  observe_many(24);
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  const std::vector<std::int16_t> before = ram_->samples;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const Result<Observation> observation = observe(i);
    ASSERT_TRUE(observation.ok());
    EXPECT_TRUE(observation->is_sample);
    EXPECT_FALSE(observation->is_kept);
    EXPECT_FALSE(observation->score.has_value());
  }
  EXPECT_EQ(ram_->samples, before);
  EXPECT_EQ(ram_->buffer.count(), 24U);
  EXPECT_TRUE(world_.run_until_accepted(1));
}

TEST_F(DeviceObserveTest, JudgesSamplesWhileTheGatewayIsAway) {
  boot();
  observe_many(24);
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  gateway_.faults.refuses_sessions = true;
  gateway_.drop_session();
  ASSERT_TRUE(train_once());
  world_.run(20);
  ASSERT_EQ(world_.count(EventKind::kUpdateAccepted), 0);
  const Result<Observation> observation = observe(3);
  ASSERT_TRUE(observation.ok());
  EXPECT_TRUE(observation->score.has_value());
  gateway_.faults.refuses_sessions = false;
  EXPECT_TRUE(world_.run_until_accepted(1)) << "the update comes from storage";
  EXPECT_EQ(gateway_.refusal(), Status::kOk);
}

TEST_F(DeviceObserveTest, ScaleAndThresholdSurviveAReset) {
  boot(&ObserverRam::scaling);
  world_.run(50);
  observe_many(8 + 12);
  ASSERT_TRUE(ram_->scaler.is_frozen());
  const std::uint32_t threshold = ram_->anomalies.threshold_q16();
  ASSERT_NE(threshold, UINT32_MAX);
  const std::vector<std::int64_t> means = [&] {
    std::vector<std::int64_t> values;
    for (const observe::ChannelMoments& m : ram_->moments) values.push_back(m.mean_q24);
    return values;
  }();
  reset(&ObserverRam::scaling);
  EXPECT_TRUE(ram_->scaler.is_frozen());
  EXPECT_EQ(ram_->anomalies.threshold_q16(), threshold);
  for (std::size_t i = 0; i < means.size(); ++i) EXPECT_EQ(ram_->moments[i].mean_q24, means[i]);
  EXPECT_EQ(ram_->buffer.count(), 0U) << "samples are never in storage";
  EXPECT_FALSE(ram_->scaling.needs_saving());
}

TEST_F(DeviceObserveTest, NothingIsKeptBeforeTheScaleIsKnown) {
  boot(&ObserverRam::scaling);
  for (std::uint32_t i = 0; i < 7; ++i) {
    const Result<Observation> observation = observe(i);
    ASSERT_TRUE(observation.ok());
    EXPECT_FALSE(observation->is_sample);
  }
  EXPECT_EQ(ram_->buffer.count(), 0U);
  EXPECT_TRUE(observe(7)->is_kept);
}

TEST_F(DeviceObserveTest, AStateOfOtherOptionsIsNotTaken) {
  boot(&ObserverRam::scaling);
  observe_many(8);
  ASSERT_TRUE(ram_->scaler.is_ready());
  const auto before = std::move(ram_);
  ram_ = std::make_unique<ObserverRam>(&energy_);
  observe::FeatureScaler longer(ram_->moments, {.memory = 9, .output_exponent = -12});
  Observer observer({.buffer = ram_->buffer,
                     .policy = ram_->policy,
                     .scaler = &longer,
                     .anomalies = &ram_->anomalies,
                     .features = ram_->features});
  world_.observer = &observer;
  world_.source = &ram_->buffer;
  world_.reset();
  EXPECT_FALSE(longer.is_ready());
  world_.device.reset();
}

TEST_F(DeviceObserveTest, FailingFlashIsReportedAndTriedAgain) {
  boot(&ObserverRam::scaling);
  observe_many(7);
  world_.flash.fail_from(1);
  EXPECT_EQ(observe(7).status(), Status::kStorageFailed);
  EXPECT_EQ(ram_->buffer.count(), 1U) << "the sample is taken";
  world_.flash.stop_failing();
  EXPECT_TRUE(observe(8).ok());
  reset(&ObserverRam::scaling);
  EXPECT_TRUE(ram_->scaler.is_frozen());
}

TEST_F(DeviceObserveTest, RefusesWhatItCannotTake) {
  boot();
  observe_many(3);
  EXPECT_EQ(world_.device->observe(std::vector<std::int32_t>(3), 0).status(),
            Status::kInvalidArgument);
  EXPECT_EQ(world_.device->observe(std::vector<std::int32_t>(kInputs), kClasses).status(),
            Status::kInvalidArgument);
  EXPECT_EQ(world_.device->observe(std::vector<std::int32_t>{1, 2, 3, 1 << 20}, 0).status(),
            Status::kInvalidArgument);
  EXPECT_EQ(ram_->buffer.count(), 3U);
}

TEST_F(DeviceObserveTest, ASampleThatTheModelCannotTakeIsNotKept) {
  boot();
  world_.run(50);
  ASSERT_EQ(world_.device->model_version(), 1U);
  ObserverRam& ram = *ram_;
  std::vector<std::int16_t> features(2);
  observe::SampleBuffer small(ram.samples, {.feature_count = 2, .label_count = kClasses});
  Observer observer({.buffer = small, .policy = ram.policy, .features = features});
  world_.observer = &observer;
  world_.source = &small;
  world_.reset();
  EXPECT_EQ(world_.device->observe(std::vector<std::int32_t>(2), 0).status(),
            Status::kInvalidArgument);
  EXPECT_EQ(small.count(), 0U);
  world_.device.reset();
}

TEST_F(DeviceObserveTest, NeedsAnObserverAndAStart) {
  world_.boot();
  EXPECT_EQ(world_.device->observe(std::vector<std::int32_t>(kInputs), 0).status(),
            Status::kUnsupported);
  EXPECT_EQ(world_.device->score(std::vector<std::int32_t>(kInputs)).status(),
            Status::kUnsupported);
  world_.entropy.broken = true;
  ram_ = std::make_unique<ObserverRam>(&energy_);
  world_.observer = &ram_->plain;
  ASSERT_EQ(world_.try_boot(), Status::kNoEntropy);
  EXPECT_EQ(world_.device->observe(std::vector<std::int32_t>(kInputs), 0).status(),
            Status::kInvalidArgument);
}

TEST_F(DeviceObserveTest, TooManyChannelsToStoreAreRefused) {
  ram_ = std::make_unique<ObserverRam>(&energy_);
  for (const std::uint16_t channels : {std::uint16_t{15}, std::uint16_t{16}}) {
    std::vector<observe::ChannelMoments> moments(channels);
    observe::FeatureScaler scaler(moments, {});
    Observer observer({.buffer = ram_->buffer,
                       .policy = ram_->policy,
                       .scaler = &scaler,
                       .anomalies = &ram_->anomalies,
                       .features = ram_->features});
    world_.observer = &observer;
    EXPECT_EQ(world_.try_boot(), channels == 15 ? Status::kOk : Status::kTooLarge);
    world_.device.reset();
  }
}

}  // namespace
}  // namespace skep::round
