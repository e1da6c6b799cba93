// Whether a round is worth this device's energy.
#pragma once

#include <cstdint>

#include "skep/observe/drift_detector.h"
#include "skep/platform.h"

namespace skep::observe {

struct TrainingOptions {
  std::uint32_t least_samples = 32;  ///< In the buffer, before the device takes part at all; ≥ 1.
  std::uint32_t enough_new_samples = 256;   ///< Added since the last training: a reason to train.
  std::uint32_t drift_new_samples = 32;     ///< With drift this many are enough.
  std::uint8_t least_battery_percent = 30;  ///< On battery alone; with drift half of it.
  bool waits_for_cheap_radio = true;        ///< See EnergyState; with drift it does not wait.
};

/// Takes part in a round when enough has changed since the last one, and there is energy for it.
///
/// Enough: new samples, or drift (the loss of new samples against that after the last training).
/// The first round after a start needs no more than `least_samples`. Not thread-safe.
class TrainingPolicy {
 public:
  /// Without an `energy` source there always is energy. It outlives the policy.
  TrainingPolicy(const TrainingOptions& options, const DriftOptions& drift,
                 EnergySource* energy = nullptr);

  /// A sample was offered to the buffer.
  void on_sample();

  /// The loss of a new sample by model `model_version`. Another version than that of the loss
  /// before starts the drift detector anew: losses of two models do not compare.
  void on_loss(std::uint32_t loss_q16, std::uint32_t model_version);

  /// A round was trained.
  void on_trained();

  [[nodiscard]] bool takes_part(std::uint32_t samples_in_buffer) const;

  [[nodiscard]] bool has_drifted() const { return drift_.has_drifted(); }
  [[nodiscard]] std::uint32_t new_samples() const { return new_samples_; }

 private:
  [[nodiscard]] bool has_enough_new() const;
  [[nodiscard]] bool has_energy() const;

  TrainingOptions options_;
  DriftDetector drift_;
  EnergySource* energy_;
  std::uint32_t new_samples_ = 0;  // since the last training; saturates
  std::uint32_t model_version_ = 0;
  bool was_trained_ = false;
};

}  // namespace skep::observe
