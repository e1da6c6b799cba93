#include "skep/observe/training_policy.h"

#include <gtest/gtest.h>

namespace skep::observe {
namespace {

constexpr std::uint32_t kOne = 65536;  // Q16.16
constexpr TrainingOptions kOptions{
    .least_samples = 10, .enough_new_samples = 40, .drift_new_samples = 5};

struct FakeEnergy final : EnergySource {
  EnergyState energy() override { return state; }
  EnergyState state;
};

void add_samples(TrainingPolicy& policy, int count) {
  for (int i = 0; i < count; ++i) policy.on_sample();
}

void drift(TrainingPolicy& policy) {
  for (int i = 0; i < 32; ++i) policy.on_loss(kOne, 1);
  for (int i = 0; i < 100; ++i) policy.on_loss(4 * kOne, 1);
  ASSERT_TRUE(policy.has_drifted());
}

TEST(TrainingPolicy, TheFirstRoundNeedsSomeSamplesOnly) {
  TrainingPolicy policy(kOptions, {});
  EXPECT_FALSE(policy.takes_part(0));
  EXPECT_FALSE(policy.takes_part(9));
  EXPECT_TRUE(policy.takes_part(10));
}

TEST(TrainingPolicy, NeverWithoutASample) {
  TrainingPolicy policy({.least_samples = 0, .enough_new_samples = 0}, {});
  EXPECT_FALSE(policy.takes_part(0));
  EXPECT_TRUE(policy.takes_part(1));
}

TEST(TrainingPolicy, LaterRoundsNeedNewSamples) {
  TrainingPolicy policy(kOptions, {});
  add_samples(policy, 100);
  policy.on_trained();
  EXPECT_FALSE(policy.takes_part(100));
  add_samples(policy, 39);
  EXPECT_FALSE(policy.takes_part(100));
  add_samples(policy, 1);
  EXPECT_TRUE(policy.takes_part(100));
}

TEST(TrainingPolicy, WithDriftFewerNewSamplesDo) {
  TrainingPolicy policy(kOptions, {});
  policy.on_trained();
  drift(policy);
  add_samples(policy, 4);
  EXPECT_FALSE(policy.takes_part(100));
  add_samples(policy, 1);
  EXPECT_TRUE(policy.takes_part(100));
  policy.on_trained();
  EXPECT_FALSE(policy.has_drifted());
}

TEST(TrainingPolicy, LossesOfAnotherModelAreNoDrift) {
  TrainingPolicy policy(kOptions, {});
  for (int i = 0; i < 32; ++i) policy.on_loss(kOne, 1);
  for (int i = 0; i < 100; ++i) policy.on_loss(4 * kOne, 2);
  EXPECT_FALSE(policy.has_drifted());
}

TEST(TrainingPolicy, WaitsForEnergy) {
  FakeEnergy energy;
  TrainingPolicy policy(kOptions, {}, &energy);
  EXPECT_TRUE(policy.takes_part(100));
  energy.state = {.on_mains = false, .battery_percent = 29};
  EXPECT_FALSE(policy.takes_part(100));
  energy.state.battery_percent = 30;
  EXPECT_TRUE(policy.takes_part(100));
  energy.state.radio_is_cheap = false;
  EXPECT_FALSE(policy.takes_part(100));
  energy.state = {.on_mains = true, .battery_percent = 0};
  EXPECT_TRUE(policy.takes_part(100));
  TrainingPolicy hasty({.least_samples = 1, .waits_for_cheap_radio = false}, {}, &energy);
  energy.state.radio_is_cheap = false;
  EXPECT_TRUE(hasty.takes_part(1));
}

TEST(TrainingPolicy, DriftIsWorthMoreEnergyButNotAll) {
  FakeEnergy energy;
  TrainingPolicy policy(kOptions, {}, &energy);
  drift(policy);
  energy.state = {.on_mains = false, .battery_percent = 15, .radio_is_cheap = false};
  EXPECT_TRUE(policy.takes_part(100));
  energy.state.battery_percent = 14;
  EXPECT_FALSE(policy.takes_part(100));
}

}  // namespace
}  // namespace skep::observe
