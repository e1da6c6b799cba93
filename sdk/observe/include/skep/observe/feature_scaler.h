// Standardises raw sensor readings with statistics learned on the device, in integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/observe/reading.h"
#include "skep/status.h"

namespace skep::observe {

/// Mean and variance of one channel's readings.
struct ChannelMoments {
  std::int64_t mean_q24 = 0;       ///< Units of 2^-24 readings.
  std::uint64_t variance_q16 = 0;  ///< Units of 2^-16 squared readings; of the population.
};

/// What the statistics do once they have seen `ScalerOptions::memory` frames.
enum class Adaptation : std::uint8_t {
  kFreeze,  ///< Stay as they are for ever: a model always sees the scale that it was trained with.
  kForget,  ///< Go on as an exponential moving average; a frame's weight halves every
            ///< ln(2) * memory frames (−1 / log2(1 − 1/memory), to be exact).
};

struct ScalerOptions {
  /// Frames to learn from before the first feature is made, 2 … 32768.
  std::uint16_t memory = 1024;
  Adaptation adaptation = Adaptation::kFreeze;
  /// The model's ModelSpec::input_exponent, −15 … 0: a feature is int16 * 2^output_exponent
  /// standard deviations. At −12 features end at ±8 and have steps of 1/4096.
  std::int8_t output_exponent = -12;
};

/// Welford's streaming mean and variance (Welford, "Note on a Method for Calculating Corrected
/// Sums of Squares and Products", Technometrics 4, 1962; with a fixed weight: West, CACM 22, 1979)
/// for each channel, and the standard score (reading − mean) / deviation.
///
/// Accuracy, for readings whose largest difference is R, against exact arithmetic, any number of
/// frames, N = memory:
///   mean      within N * 2^-25 readings
///   variance  within 2 * h * R + h² + N * 2^-17 squared readings, h = N * 2^-25 + 2^-9
///   feature   within (1/2 + 2^-16) steps of the standard score by the statistics as they are
/// so readings should have a deviation of several units: send millidegrees, not degrees.
///
/// A deviation below 1/√12 readings is below what an integer can show (the variance of rounding to
/// integers, Sheppard 1898), and is taken as 1/√12: so a channel that never changed gives 0, and
/// its first change by one reading 3.46.
///
/// Memory: 16 B a channel, the caller's. No heap; stack < 100 B; not thread-safe. Integer only,
/// the same bits everywhere.
class FeatureScaler {
 public:
  static constexpr std::uint16_t kMaxMemory = 32768;
  static constexpr int kMinOutputExponent = -15;

  /// `moments` has an element for each channel, 1 … 65535, and outlives the scaler. Options out of
  /// range show in learn() and restore().
  FeatureScaler(std::span<ChannelMoments> moments, const ScalerOptions& options);

  /// Whether the options and the number of channels are in their ranges.
  [[nodiscard]] bool has_valid_options() const;

  /// Learns from one frame, a reading for each channel. Frozen: changes nothing.
  ///
  /// Errors: kInvalidArgument if the frame has not one reading for each channel, a reading is not
  /// in kMinReading … kMaxReading, or an option was out of range. Nothing is changed then.
  Status learn(std::span<const std::int32_t> frame);

  /// True once `memory` frames were learned, or a state that had learned them was restored.
  [[nodiscard]] bool is_ready() const { return count_ == options_.memory; }

  /// Whether learn() changes nothing any more.
  [[nodiscard]] bool is_frozen() const {
    return is_ready() && options_.adaptation == Adaptation::kFreeze;
  }

  /// Standardises one frame: a feature for each channel, saturating at ±32767.
  ///
  /// Errors: kInvalidArgument if `frame` or `features` has not one element for each channel, or a
  /// reading or an option is out of range; kNotFound before is_ready(). `features` is unchanged
  /// then.
  Status scale(std::span<const std::int32_t> frame, std::span<std::int16_t> features) const;

  /// Bytes that save() writes: 8 and 16 a channel.
  [[nodiscard]] std::uint32_t state_bytes() const;

  /// Writes the statistics; restore() of a scaler with as many channels takes them.
  ///
  /// Errors: kInvalidArgument if `out` has not state_bytes(); it is then unchanged.
  Status save(MutableBytes out) const;

  /// Continues from what save() wrote.
  ///
  /// Errors: kUnsupportedVersion; kMalformed if it is not such a state of as many channels, memory
  /// and adaptation (a scaler with other options learns anew, rather than go on with statistics
  /// that mean something else); kInvalidArgument if an option was out of range. Nothing is changed
  /// then.
  Status restore(Bytes state);

  [[nodiscard]] std::size_t channels() const { return moments_.size(); }
  [[nodiscard]] std::span<const ChannelMoments> moments() const { return moments_; }

 private:
  [[nodiscard]] bool is_frame(std::span<const std::int32_t> frame) const;

  std::span<ChannelMoments> moments_;
  ScalerOptions options_;
  std::uint16_t count_ = 0;  // frames learned from, ends at memory
};

}  // namespace skep::observe
