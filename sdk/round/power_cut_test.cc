// A whole first round, and a round on a patched model, with the power cut at every operation on the
// flash.
#include <gtest/gtest.h>

#include <cstdint>

#include "device_test_support.h"

namespace skep::round {
namespace {

using core_testing::kAllTears;
using core_testing::PowerCut;
using core_testing::RamFlash;

std::uint64_t operations_of_a_round() {
  DeviceWorld world;
  world.flash.power_on();
  world.boot();
  EXPECT_TRUE(world.run_until_accepted(1));
  return world.flash.operation_count();
}

// Runs until the cut; the highest version that the device had said to be installed.
std::uint32_t run_into_cut(DeviceWorld& world, const PowerCut& cut) {
  world.flash.schedule(cut);
  if (world.try_boot() == Status::kOk) {
    for (int polls = 0; world.flash.is_powered() && polls < 5'000; ++polls) world.step();
  }
  EXPECT_FALSE(world.flash.is_powered());
  return world.last(EventKind::kModelInstalled) == nullptr ? 0 : 1;
}

void check_cut(const PowerCut& cut) {
  SCOPED_TRACE(testing::Message() << "operation " << cut.at_operation << ", tear "
                                  << static_cast<int>(cut.tear));
  DeviceWorld world;
  const std::uint32_t version_before = run_into_cut(world, cut);
  const bool stored_before = world.count(EventKind::kUpdateStored) != 0;
  const int started_before = world.count(EventKind::kRoundStarted);
  world.events.events.clear();
  world.flash.power_on(cut.seed);
  world.reset();
  EXPECT_GE(world.device->model_version(), version_before);

  ASSERT_TRUE(world.run_until([&] {
    return !world.gateway.received().empty() && world.device->state() == DeviceState::kObserving;
  }));
  world.run(20);
  EXPECT_EQ(world.device->model_version(), 1U);
  EXPECT_EQ(world.gateway.received().size(), 1U) << "counted once";
  EXPECT_EQ(world.flash.violation(), "");
  if (stored_before) {
    EXPECT_EQ(world.count(EventKind::kRoundStarted), 0) << "a stored update is not made again";
  } else {
    EXPECT_LE(world.count(EventKind::kRoundStarted), 1);
    EXPECT_LE(started_before, 1);
  }

  // It takes part in the next round as if nothing had been.
  world.gateway.release_next_model();
  world.gateway.open_next_round();
  EXPECT_TRUE(world.run_until_accepted(2));
  EXPECT_EQ(world.device->model_version(), 2U);
}

class PowerCutAtEveryOperation : public testing::TestWithParam<int> {};

// Every operation meets three of the six kinds: those of its parity.
TEST_P(PowerCutAtEveryOperation, EndsInOneCountedUpdate) {
  const std::uint64_t operations = operations_of_a_round();
  ASSERT_GT(operations, 20U);
  for (std::uint64_t n = 1 + static_cast<std::uint64_t>(GetParam()) % 2; n <= operations; n += 2) {
    check_cut({.at_operation = n,
               .tear = kAllTears[GetParam()],
               .loses_unsynced = n % 4 < 2,
               .seed = static_cast<std::uint32_t>(n)});
    if (HasFatalFailure()) return;
  }
}

// ---- the same with a patch

// A device that has done its round on version 1, and is told of version 2.
void run_first_round(DeviceWorld& world) {
  world.gateway.serves_patches = true;
  world.boot();
  ASSERT_TRUE(world.run_until_accepted(1));
  world.gateway.release_next_model();
  world.gateway.open_next_round();
  world.flash.power_on();
  world.events.events.clear();
}

bool is_second_round_done(const DeviceWorld& world) {
  return world.gateway.received().size() == 2 && world.device->state() == DeviceState::kObserving;
}

std::uint64_t operations_of_a_patched_round() {
  DeviceWorld world;
  run_first_round(world);
  world.reset();
  EXPECT_TRUE(world.run_until([&] { return is_second_round_done(world); }));
  EXPECT_EQ(world.gateway.patches, 1U);
  return world.flash.operation_count();
}

void check_patched_cut(const PowerCut& cut) {
  SCOPED_TRACE(testing::Message() << "operation " << cut.at_operation << ", tear "
                                  << static_cast<int>(cut.tear));
  DeviceWorld world;
  run_first_round(world);
  world.device.reset();
  world.gateway.close();
  (void)run_into_cut(world, cut);
  const bool was_installed = world.last(EventKind::kModelInstalled) != nullptr;
  world.events.events.clear();
  world.flash.power_on(cut.seed);
  world.reset();
  EXPECT_GE(world.device->model_version(), was_installed ? 2U : 1U);

  ASSERT_TRUE(world.run_until([&] { return is_second_round_done(world); }));
  EXPECT_EQ(world.device->model_version(), 2U);
  EXPECT_EQ(world.gateway.received().back().base_version, 2U);
  EXPECT_EQ(world.count(EventKind::kPatchRefused), 0) << "a cut is no reason for a whole model";
  EXPECT_LE(world.gateway.patches, 2U);
  EXPECT_EQ(world.flash.violation(), "");
}

TEST_P(PowerCutAtEveryOperation, EndsInAPatchedModel) {
  const std::uint64_t operations = operations_of_a_patched_round();
  ASSERT_GT(operations, 20U);
  for (std::uint64_t n = 1 + static_cast<std::uint64_t>(GetParam()) % 2; n <= operations; n += 2) {
    check_patched_cut({.at_operation = n,
                       .tear = kAllTears[GetParam()],
                       .loses_unsynced = n % 4 < 2,
                       .seed = static_cast<std::uint32_t>(n)});
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Tears, PowerCutAtEveryOperation, testing::Range(0, 6));

}  // namespace
}  // namespace skep::round
