// A Device with everything that it stands on, for the tests of this folder.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "skep/core_testing/ram_flash.h"
#include "skep/device.h"
#include "skep/learn_testing/specs.h"
#include "skep/round_testing/fake_gateway.h"
#include "skep/round_testing/fakes.h"

namespace skep::round {

using round_testing::FakeGateway;

struct EventList final : EventSink {
  void on_event(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

class DeviceWorld {
 public:
  static constexpr ModelSpec kSpec = learn_testing::mlp_spec({4, 6, 3}, -15);

  /// Of a federation that trains a model of `spec`, which has four inputs.
  explicit DeviceWorld(const ModelSpec& spec = kSpec) : gateway(spec) {}

  round_testing::FakeClock clock;
  round_testing::FakeEntropy entropy;
  core_testing::RamFlash flash{
      {.size_bytes = 32 * 1024, .erase_unit_bytes = 1024, .program_unit_bytes = 8}};
  round_testing::VectorSamples samples{round_testing::separable_samples(24, 4, 3)};
  FakeGateway gateway;
  wire::DeviceCredentials credentials = gateway.credentials();
  EventList events;
  std::optional<Device> device;

  std::uint32_t max_update_bytes = 2048;
  std::uint16_t samples_per_poll = 4;
  observe::Observer* observer = nullptr;  ///< With it, `source` is what it feeds.
  SampleSource* source = &samples;
  std::uint32_t last_wait_ms = 0;

  Status try_boot() {
    device.emplace(DeviceConfig{.credentials = credentials,
                                .max_package_bytes = 4096,
                                .max_update_bytes = max_update_bytes,
                                .training_seed = 7,
                                .samples_per_poll = samples_per_poll,
                                .observer = observer},
                   Platform{clock, entropy, flash, *source}, gateway,
                   std::as_writable_bytes(std::span(workspace_)), &events);
    return device->start();
  }

  void boot() {
    const Status status = try_boot();
    if (status != Status::kOk) round_testing::abort_with(status);
  }

  /// Power off and on: RAM and session are gone, storage stays.
  void reset() {
    device.reset();
    gateway.close();
    std::ranges::fill(workspace_, 0xDEADDEADDEADDEAD);
    boot();
  }

  /// One poll, then as much time as it said; false when it would sleep for ever.
  bool step() {
    last_wait_ms = device->poll();
    clock.advance(std::min<std::uint32_t>(last_wait_ms, 3'600'000));
    return last_wait_ms != UINT32_MAX;
  }

  void run(int polls) {
    for (int i = 0; i < polls; ++i) step();
  }

  template <typename Condition>
  bool run_until(Condition condition, int max_polls = 5'000) {
    for (int i = 0; i < max_polls; ++i) {
      if (condition()) return true;
      if (!step()) return condition();
    }
    return condition();
  }

  bool run_until_accepted(std::uint32_t round_id) {
    return run_until([&] {
      const Event* accepted = last(EventKind::kUpdateAccepted);
      return accepted != nullptr && accepted->round == round_id;
    });
  }

  [[nodiscard]] int count(EventKind kind) const {
    return static_cast<int>(std::ranges::count(events.events, kind, &Event::kind));
  }
  [[nodiscard]] const Event* last(EventKind kind) const {
    const auto found =
        std::ranges::find(events.events.rbegin(), events.events.rend(), kind, &Event::kind);
    return found == events.events.rend() ? nullptr : &*found;
  }
  [[nodiscard]] std::vector<EventKind> kinds() const {
    std::vector<EventKind> kinds;
    for (const Event& event : events.events) kinds.push_back(event.kind);
    return kinds;
  }

 private:
  std::vector<std::uint64_t> workspace_ = std::vector<std::uint64_t>(512);  // 4 KiB
};

}  // namespace skep::round
