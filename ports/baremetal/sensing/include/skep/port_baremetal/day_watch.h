// What skep-monitor does with its sensor: hourly means, windows of a day, an autoencoder's loss.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/observe/observer.h"

namespace skep::port_baremetal {

/// The stages of skep/observe for one slow sensor that is read every five minutes, with their
/// memory. For models with kFrames inputs of exponent kFeatureExponent and one label: 24-1-24 of
/// docs/benchmarks.md, section 8, and its settings.
///
/// One for each Device; 9.3 KB, no heap; not thread-safe.
class DayWatch {
 public:
  static constexpr std::uint8_t kReadingsPerHour = 12;
  static constexpr std::uint16_t kFrames = 24;
  static constexpr std::int8_t kFeatureExponent = -12;  ///< Features end at ±8 deviations.
  static constexpr std::uint32_t kCapacity = 168;       ///< Samples kept: of a week of hours.

  static constexpr observe::WindowOptions kWindow{
      .channels = 1, .frames = kFrames, .stride = kReadingsPerHour};
  static constexpr observe::ScalerOptions kScale{.memory = 60, .output_exponent = kFeatureExponent};
  static constexpr observe::AnomalyOptions kAnomalies{.rank_q16 = 62259,  // 0.95
                                                      .warm_up = 64,
                                                      .memory = 500,
                                                      .quiet_losses = 72,
                                                      .repeat_losses = 36};
  static constexpr observe::TrainingOptions kTraining{.least_samples = 32,
                                                      .enough_new_samples = 100};

  DayWatch() = default;
  DayWatch(const DayWatch&) = delete;
  DayWatch& operator=(const DayWatch&) = delete;

  /// For DeviceConfig::observer.
  [[nodiscard]] observe::Observer& observer() { return observer_; }
  /// For Platform::samples.
  [[nodiscard]] observe::SampleBuffer& buffer() { return buffer_; }

  [[nodiscard]] const observe::FeatureScaler& scaler() const { return scaler_; }
  [[nodiscard]] const observe::AnomalyDetector& anomalies() const { return anomalies_; }

 private:
  std::array<std::int32_t, observe::SlidingWindow::words_for(kWindow)> readings_{};
  std::array<observe::ChannelMoments, 1> moments_{};
  std::array<std::int16_t, kCapacity * observe::SampleBuffer::words_per_sample(kFrames)> samples_{};
  std::array<std::int16_t, kFrames> features_{};
  observe::SlidingWindow window_{readings_, kWindow};
  observe::FeatureScaler scaler_{moments_, kScale};
  observe::SampleBuffer buffer_{samples_, {.feature_count = kFrames}};
  observe::AnomalyDetector anomalies_{kAnomalies};
  observe::TrainingPolicy policy_{kTraining, {}};
  observe::Observer observer_{{.buffer = buffer_,
                               .policy = policy_,
                               .scaler = &scaler_,
                               .window = &window_,
                               .anomalies = &anomalies_,
                               .features = features_}};
};

}  // namespace skep::port_baremetal
