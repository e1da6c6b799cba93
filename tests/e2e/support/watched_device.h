// The SDK's Device over real DTLS, in this process: a test sees what it fetches, and can change it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "skep/core_testing/ram_flash.h"
#include "skep/device.h"
#include "skep/learn_testing/data_set.h"
#include "skep/round_testing/fakes.h"
#include "skep/wire/codec.h"

namespace skep::e2e {

using Buffer = std::vector<std::uint8_t>;

/// All devices belong to one thread, and only the one that is told to does anything. Throws
/// std::runtime_error if it cannot start.
class WatchedDevice {
 public:
  WatchedDevice(const wire::DeviceCredentials& credentials,
                const std::vector<learn_testing::Sample>& digits, std::uint32_t training_seed);
  ~WatchedDevice();
  WatchedDevice(const WatchedDevice&) = delete;
  WatchedDevice& operator=(const WatchedDevice&) = delete;

  /// Lets it work until `done`, for at most a minute. False if the time is over.
  bool run_until(const std::function<bool()>& done);
  /// Until the gateway has its update for the round on `model_version`.
  bool run_until_update_on(std::uint32_t model_version);

  [[nodiscard]] std::uint32_t model_version() const;
  [[nodiscard]] std::size_t count(round::EventKind kind) const;
  /// Status of the last event of this kind; kOk if there is none.
  [[nodiscard]] Status last_status(round::EventKind kind) const;

  /// Bodies of the model downloads that ended, in their order: packages and patches, as they came.
  [[nodiscard]] const std::vector<Buffer>& downloads() const;

  /// Flips one bit of the next download that is a patch, if it has so many bytes.
  void flip_bit_of_next_patch(std::uint32_t byte, unsigned bit);

 private:
  class Client;
  struct Events;

  wire::DeviceCredentials credentials_;
  Buffer gateway_ip_;
  core_testing::RamFlash flash_;
  round_testing::VectorSamples samples_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<Client> client_;
  std::vector<std::uint64_t> workspace_;
  std::unique_ptr<Device> device_;
};

}  // namespace skep::e2e
