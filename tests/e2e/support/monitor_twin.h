// skep-monitor's Device on this machine, over real DTLS: what a board has to do with the same
// readings, step by step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "skep/core_testing/ram_flash.h"
#include "skep/device.h"
#include "skep/port_baremetal/day_watch.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/codec.h"

namespace skep::e2e {

/// One thread; works only when told to. Throws std::runtime_error if it cannot start.
class MonitorTwin {
 public:
  MonitorTwin(const wire::DeviceCredentials& credentials, std::uint32_t training_seed);
  ~MonitorTwin();
  MonitorTwin(const MonitorTwin&) = delete;
  MonitorTwin& operator=(const MonitorTwin&) = delete;

  /// Power off and on: the flash stays.
  void reset();

  /// Lets it work until `done`, for at most a minute. False if the time is over.
  bool run_until(const std::function<bool()>& done);

  [[nodiscard]] Result<observe::Observation> observe(std::int32_t reading);

  /// Whether it has reason to take part in the next round.
  [[nodiscard]] bool takes_part() { return ram_->watch.observer().takes_part(); }
  [[nodiscard]] bool knows_scale() const { return ram_->watch.scaler().is_ready(); }
  [[nodiscard]] std::uint32_t threshold_q16() const {
    return ram_->watch.anomalies().threshold_q16();
  }
  [[nodiscard]] std::uint32_t model_version() const { return ram_->device.model_version(); }

  /// Events of this kind, over all starts.
  [[nodiscard]] std::vector<round::Event> events(round::EventKind kind) const;

 private:
  struct Events final : round::EventSink {
    void on_event(const round::Event& event) override { list.push_back(event); }
    std::vector<round::Event> list;
  };

  // What a reset takes.
  struct Ram {
    explicit Ram(MonitorTwin& twin);

    port_baremetal::DayWatch watch;
    transport::CoapClient client;
    std::vector<std::uint64_t> workspace;
    Device device;
  };

  void start();

  wire::DeviceCredentials credentials_;
  std::vector<std::uint8_t> gateway_ip_;
  std::uint32_t training_seed_;
  core_testing::RamFlash flash_;
  Events events_;
  std::unique_ptr<Ram> ram_;
};

}  // namespace skep::e2e
