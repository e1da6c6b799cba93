// One device that watches one sensor by itself: readings in, alarms out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "skep/anomaly/autoencoder.h"
#include "skep/core/prng.h"
#include "skep/observe/observer.h"

namespace skep::anomaly {

/// The stages of skep::observe as a device has them, and an autoencoder that learns as it goes.
/// Causal: a score depends on readings up to its own, and nothing looks at labels.
///
/// The settings are the same for every series. They were chosen on NAB's machine temperature with
/// its labels in view; docs/benchmarks.md says how far the result depends on them.
class StreamDetector {
 public:
  static constexpr std::uint16_t kFrames = 24;          ///< In a window: a day of hours.
  static constexpr std::int8_t kFeatureExponent = -12;  ///< Features end at ±8 deviations.
  static constexpr observe::ScalerOptions kScale{.memory = 60,
                                                 .adaptation = observe::Adaptation::kFreeze,
                                                 .output_exponent = kFeatureExponent};
  static constexpr observe::AnomalyOptions kAnomalies{.rank_q16 = 62259,  // 0.95
                                                      .factor_q8 = 256,
                                                      .warm_up = 64,
                                                      .memory = 500,
                                                      .quiet_losses = 72,
                                                      .repeat_losses = 36};
  static constexpr int kStepsPerFrame = 8;  ///< On samples drawn from the buffer.
  static constexpr std::uint32_t kCapacity = 256;

  /// `readings_per_frame` is how many the sensor gives in an hour. The model outlives the detector.
  StreamDetector(Autoencoder& model, std::uint8_t readings_per_frame, std::uint32_t seed);

  /// The score of the window that the reading completes, if it does. Throws std::runtime_error
  /// if a stage refuses.
  std::optional<observe::Score> push(std::int32_t reading);

 private:
  void train();

  Autoencoder& model_;
  std::array<std::int16_t, kCapacity * observe::SampleBuffer::words_per_sample(kFrames)> samples_{};
  std::array<observe::ChannelMoments, 1> moments_{};
  std::array<std::int32_t, observe::SlidingWindow::words_for({.frames = kFrames})> readings_{};
  std::array<std::int16_t, kFrames> features_{};
  observe::SampleBuffer buffer_;
  observe::TrainingPolicy policy_{{}, {}};
  observe::FeatureScaler scaler_{moments_, kScale};
  observe::SlidingWindow window_;
  observe::AnomalyDetector anomalies_{kAnomalies};
  observe::Observer observer_;
  Xorshift32 random_;
};

}  // namespace skep::anomaly
