// A whole first round with the power cut at every operation on the flash.
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

INSTANTIATE_TEST_SUITE_P(Tears, PowerCutAtEveryOperation, testing::Range(0, 6));

}  // namespace
}  // namespace skep::round
