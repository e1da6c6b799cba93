// One federation in a directory of its own: the gateway's process, the devices', the operator's
// commands. Nothing here knows what the devices learn.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "skep/process/process.h"

namespace skep::demo {

/// How a round is run; written into skepd.toml by `skepctl init`.
struct RoundRecipe {
  std::uint32_t quorum = 20;
  std::uint32_t max_rounds = 40;
  std::uint32_t learning_rate_mantissa = 1;
  std::uint32_t learning_rate_shift = 3;
  std::uint32_t local_epochs = 5;
  double clip_norm = 8.0;
  std::string compression = "top-k";
  std::uint32_t keep_permille = 100;
  std::uint32_t value_bits = 8;
  std::uint32_t step_bits = 5;
  std::uint32_t patch_depth = 8;
};

/// The first model, as `skepctl init` makes it, with the federation's seed.
struct FirstModel {
  std::string name = "digits";
  process::Command options{"--inputs", "64", "--input-exponent=-4", "--layers",
                           "dense:32,relu,dense:10"};
  /// For what those options cannot say: the input of `skepctl model new`, instead of them.
  std::string spec_text{};
};

/// Errors are exceptions whose text has what the failing program said.
class Federation {
 public:
  /// `skepctl init` in `directory`, on a free UDP port of loopback, without limits for each device
  /// and address. A model of a spec's text is made beside it: <directory>-model.
  Federation(std::filesystem::path programs, std::filesystem::path directory,
             const RoundRecipe& recipe, const std::filesystem::path& held_out, std::uint32_t seed,
             const FirstModel& model = {});

  /// Writes another value into skepd.toml, which has the key; skepd reads it when it starts.
  void configure(const std::string& key, const std::string& value);

  void enrol(const std::string& device);

  /// Starts skepd and waits until it says that it is ready.
  void start_gateway();
  void stop_gateway();

  /// Waits for the operator instead of for the quorum, and goes on without an end.
  void switch_to_manual_rounds();

  /// `options` are further options of skep-device.
  void start_device(const std::string& device, const std::filesystem::path& samples,
                    std::uint32_t training_seed, const process::Command& options = {});
  void stop_devices();

  /// Process id of skepd. Requires that it was started.
  [[nodiscard]] pid_t gateway_pid() const { return gateway_.value().pid(); }

  /// SIGKILL. Both may be started again.
  void kill_gateway() { gateway_.reset(); }
  void kill_device(const std::string& device);

  /// Runs `skepctl --format json` on this federation; exits other than 0 throw.
  [[nodiscard]] nlohmann::json operate(const process::Command& arguments) const;
  /// The same without an exception: for what is meant to fail.
  [[nodiscard]] process::Output try_operate(const process::Command& arguments) const;

  /// Throws if the gateway or a device has ended on its own, with the end of its log.
  void check_alive();

  /// How many devices have reported `model_version` as installed.
  [[nodiscard]] std::size_t devices_with_model(std::uint32_t model_version) const;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

  /// The file that enrol() made for the device.
  [[nodiscard]] std::filesystem::path credentials_of(const std::string& device) const;

  /// What the device printed, over all its starts.
  [[nodiscard]] std::filesystem::path log_of(const std::string& device) const;

 private:
  struct RunningDevice {
    std::string name;
    process::Process process;
  };

  [[nodiscard]] process::Command skepctl(const process::Command& arguments) const;

  std::filesystem::path programs_;
  std::filesystem::path directory_;
  RoundRecipe recipe_;
  std::optional<process::Process> gateway_;
  std::vector<RunningDevice> devices_;
};

}  // namespace skep::demo
