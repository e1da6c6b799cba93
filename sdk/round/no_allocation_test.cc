// A Device must not allocate. Mbed TLS has memory of its own, as on a board; what stands for the
// world outside (the gateway, the flash) disarms the trap while it works.
#include <gtest/gtest.h>
#include <mbedtls/platform.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "device_test_support.h"
#include "skep/allocation_trap/allocation_trap.h"

namespace skep::round {
namespace {

using allocation_trap::Trap;

// The gateway with the trap disarmed, and armed again in its calls back into the SDK.
class OutsideClient final : public transport::Client, private transport::ResponseHandler {
 public:
  explicit OutsideClient(FakeGateway& gateway) : gateway_(gateway) {}

  Status open(transport::ResponseHandler& handler) override {
    const Trap trap(false);
    handler_ = &handler;
    return gateway_.open(*this);
  }
  void close() override {
    const Trap trap(false);
    gateway_.close();
  }
  [[nodiscard]] transport::SessionState state() const override { return gateway_.state(); }
  Status send(transport::RequestId id, const transport::Request& request) override {
    const Trap trap(false);
    return gateway_.send(id, request);
  }
  void cancel(transport::RequestId id) override {
    const Trap trap(false);
    gateway_.cancel(id);
  }
  void poll() override {
    const Trap trap(false);
    gateway_.poll();
  }
  [[nodiscard]] std::uint32_t next_timeout_ms() override { return gateway_.next_timeout_ms(); }

 private:
  void on_response(transport::RequestId id, const transport::Response& response) override {
    const Trap trap(true);
    handler_->on_response(id, response);
  }
  void on_failure(transport::RequestId id, Status status) override {
    const Trap trap(true);
    handler_->on_failure(id, status);
  }

  FakeGateway& gateway_;
  transport::ResponseHandler* handler_ = nullptr;
};

class OutsideFlash final : public Storage {
 public:
  explicit OutsideFlash(core_testing::RamFlash& flash) : flash_(flash) {}
  [[nodiscard]] FlashGeometry geometry() const override { return flash_.geometry(); }
  Status read(std::uint32_t offset, MutableBytes out) override {
    const Trap trap(false);
    return flash_.read(offset, out);
  }
  Status program(std::uint32_t offset, Bytes data) override {
    const Trap trap(false);
    return flash_.program(offset, data);
  }
  Status erase(std::uint32_t offset, std::uint32_t length_bytes) override {
    const Trap trap(false);
    return flash_.erase(offset, length_bytes);
  }
  Status sync() override {
    const Trap trap(false);
    return flash_.sync();
  }

 private:
  core_testing::RamFlash& flash_;
};

// Before PSA starts, so that every block is freed by the allocator that it came from.
const int kHeapInstalled =
    mbedtls_platform_set_calloc_free(allocation_trap::untrapped_calloc, std::free);

TEST(NoAllocation, WholeRoundsOfADeviceAllocateNothing) {
  ASSERT_EQ(kHeapInstalled, 0);
  DeviceWorld world;
  OutsideClient client(world.gateway);
  OutsideFlash flash(world.flash);
  static std::array<std::uint64_t, 512> workspace;
  Device device({.credentials = world.credentials,
                 .max_package_bytes = 4096,
                 .max_update_bytes = 2048,
                 .training_seed = 7},
                {world.clock, world.entropy, flash, world.samples}, client,
                std::as_writable_bytes(std::span(workspace)), nullptr);
  const auto run_armed = [&](std::size_t updates) {
    const Trap trap(true);
    for (int i = 0; i < 5'000 && world.gateway.received().size() < updates; ++i) {
      world.clock.advance(std::min<std::uint32_t>(device.poll(), 60'000));
    }
    (void)device.poll();
  };
  {
    const Trap trap(true);
    ASSERT_EQ(device.start(), Status::kOk);
  }
  world.gateway.serves_patches = true;
  run_armed(1);
  world.gateway.release_next_model();
  world.gateway.open_next_round();
  run_armed(2);
  {
    const Trap trap(true);
    EXPECT_TRUE(device.predict(world.samples.samples[0].features).ok());
  }
  EXPECT_EQ(world.gateway.received().size(), 2U);
  EXPECT_EQ(device.model_version(), 2U);
  EXPECT_EQ(world.gateway.patches, 1U);
}

TEST(NoAllocation, ObservingAllocatesNothing) {
  ASSERT_EQ(kHeapInstalled, 0);
  DeviceWorld world;
  OutsideClient client(world.gateway);
  OutsideFlash flash(world.flash);
  static std::array<std::uint64_t, 512> workspace;
  std::array<std::int16_t, 40 * 5> samples{};
  std::array<observe::ChannelMoments, 4> moments{};
  std::array<std::int16_t, 4> features{};
  observe::SampleBuffer buffer(samples, {.feature_count = 4, .label_count = 3});
  observe::FeatureScaler scaler(moments, {.memory = 8, .output_exponent = -15});
  observe::AnomalyDetector anomalies({.warm_up = 16});
  observe::TrainingPolicy policy({.least_samples = 20}, {});
  observe::Observer observer({.buffer = buffer,
                              .policy = policy,
                              .scaler = &scaler,
                              .anomalies = &anomalies,
                              .features = features});
  Device device({.credentials = world.credentials,
                 .max_package_bytes = 4096,
                 .max_update_bytes = 2048,
                 .training_seed = 7,
                 .observer = &observer},
                {world.clock, world.entropy, flash, buffer}, client,
                std::as_writable_bytes(std::span(workspace)), nullptr);
  bool all_taken = true;
  {
    const Trap trap(true);
    ASSERT_EQ(device.start(), Status::kOk);
    std::uint32_t next = 0;
    for (int i = 0; i < 5'000 && world.gateway.received().empty(); ++i) {
      world.clock.advance(std::min<std::uint32_t>(device.poll(), 60'000));
      const round_testing::Sample& sample = world.samples.samples[next++ % 24];
      std::array<std::int32_t, 4> readings{};
      std::ranges::copy(sample.features, readings.begin());
      all_taken = all_taken && device.observe(readings, sample.label).ok();
    }
  }
  EXPECT_TRUE(all_taken);
  EXPECT_EQ(world.gateway.received().size(), 1U);
}

}  // namespace
}  // namespace skep::round
