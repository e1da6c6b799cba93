// What observes must not allocate.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "skep/allocation_trap/allocation_trap.h"
#include "skep/observe/observer.h"

namespace skep::observe {
namespace {

TEST(NoAllocation, NoFunctionOfTheObserverAllocates) {
  std::array<std::int16_t, 10 * 7> samples{};
  std::array<ChannelMoments, 2> moments{};
  std::array<std::int32_t, 8> readings{};
  std::array<std::int16_t, 6> features{};
  std::array<std::uint8_t, 64> state{};
  const bool ok = [&] {
    const allocation_trap::Trap trap(true);
    SampleBuffer buffer(samples, {.feature_count = 6});
    TrainingPolicy policy({.least_samples = 10}, {});
    FeatureScaler scaler(moments, {.memory = 8, .adaptation = Adaptation::kForget});
    SlidingWindow window(readings, {.channels = 2, .frames = 3, .stride = 2});
    AnomalyDetector anomalies({.warm_up = 4, .memory = 8});
    Observer observer({.buffer = buffer,
                       .policy = policy,
                       .scaler = &scaler,
                       .window = &window,
                       .anomalies = &anomalies,
                       .features = features});
    bool all = true;
    for (std::int32_t i = 0; i < 200; ++i) {
      const std::array<std::int32_t, 2> frame{i % 7, i % 11};
      const Result<Features> taken = observer.take(frame, 0);
      all = all && taken.ok();
      if (!all || taken->empty()) continue;
      all = observer.settle(0, static_cast<std::uint32_t>(i), 1, true).ok();
    }
    const MutableBytes out = std::span(state).first(observer.state_bytes());
    all = all && observer.save(out) == Status::kOk && observer.restore(out) == Status::kOk;
    std::uint16_t label = 0;
    all = all && buffer.read(0, features, label) == Status::kOk;
    return all && observer.takes_part() && !observer.judge(1).is_anomaly;
  }();
  EXPECT_TRUE(ok);
}

}  // namespace
}  // namespace skep::observe
