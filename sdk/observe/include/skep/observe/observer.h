// What a device does with each reading of its sensors: scale, judge, keep.
//
//   reading → SlidingWindow → FeatureScaler → features → model's loss → AnomalyDetector
//                                              ↓                     → TrainingPolicy
//                                         SampleBuffer
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "skep/bytes.h"
#include "skep/observe/anomaly_detector.h"
#include "skep/observe/feature_scaler.h"
#include "skep/observe/sample_buffer.h"
#include "skep/observe/sliding_window.h"
#include "skep/observe/training_policy.h"
#include "skep/status.h"

namespace skep::observe {

/// What an Observer is made of. All of it outlives the Observer.
struct ObserverParts {
  SampleBuffer& buffer;  ///< Also the Platform's SampleSource.
  TrainingPolicy& policy;
  FeatureScaler* scaler = nullptr;       ///< None: readings are features already, and within int16.
  SlidingWindow* window = nullptr;       ///< None: each reading is a sample.
  AnomalyDetector* anomalies = nullptr;  ///< None: no sample is an anomaly.
  std::span<std::int16_t> features;      ///< Scratch: a sample's features, the model's inputs.
};

/// One sample as the model takes it.
using Features = std::span<const std::int16_t>;

/// What became of one reading.
struct Observation {
  bool is_sample = false;      ///< It completed a sample (a window is full, the scaler is ready).
  bool is_kept = false;        ///< The sample is in the buffer.
  std::optional<Score> score;  ///< The model's, if there is a model and its memory was free.
};

/// Chains the parts of this folder; skep::Device brings the model. Not thread-safe; no heap.
///
/// A sample that the AnomalyDetector calls an anomaly is not kept: a model of what is normal must
/// not learn from what is not.
class Observer {
 public:
  /// Parts that do not fit each other show in take(): the buffer's samples and `features` have as
  /// many features as the window has integers, the scaler as many channels as a frame.
  explicit Observer(const ObserverParts& parts);

  /// The features of the sample that these readings complete, one for each of the sensor's
  /// channels; none if they complete nothing yet, because a frame or window is not whole or the
  /// scaler still learns. The scaler learns from each whole frame. `label` is only checked here.
  /// The span is valid until the next call.
  ///
  /// Errors: kInvalidArgument if `readings` has another size than the sensor, one is out of range
  /// (24 bits; without a scaler, 16), `label` is not one of the buffer's, an option of a part is
  /// out of range, or the parts do not fit; kNoMemory if the window's memory is too small. Nothing
  /// is changed then.
  [[nodiscard]] Result<Features> take(std::span<const std::int32_t> readings, std::uint16_t label);

  /// The features of a whole sample by the scaler as it is: a window, oldest frame first, or a
  /// reading for each channel. Learns nothing. The span is valid until the next call.
  ///
  /// Errors: kInvalidArgument as take(), for the sample's size; kNotFound while the scaler still
  /// learns.
  [[nodiscard]] Result<Features> features_of(std::span<const std::int32_t> sample);

  /// Judges the sample that take() gave last and offers it to the buffer. `loss_q16` is by the
  /// model of `model_version`, none if there was no model; `can_keep` is false while a round
  /// trains, so that it sees the same samples from its first epoch to its last.
  ///
  /// Errors: those of SampleBuffer::add(); the loss is then learned from all the same.
  [[nodiscard]] Result<Observation> settle(std::uint16_t label,
                                           std::optional<std::uint32_t> loss_q16,
                                           std::uint32_t model_version, bool can_keep);

  /// What the detector says of a loss; without one, that it is no anomaly. Changes nothing.
  [[nodiscard]] Score judge(std::uint32_t loss_q16) const;

  // Virtual, as are those below: a Device calls them whether there is an Observer or not, and an
  // image without one shall link nothing of this folder.
  [[nodiscard]] virtual bool takes_part() const;
  virtual void on_trained();

  // ---- what survives a reset: the scaler's statistics and the detector's threshold

  /// Bytes that save() writes; 0 without scaler and detector.
  [[nodiscard]] virtual std::uint32_t state_bytes() const;

  /// True from when the scaler is ready, or the threshold known, until on_saved().
  [[nodiscard]] bool needs_saving() const;

  /// Errors: kInvalidArgument if `out` has not state_bytes(); it is then unchanged.
  virtual Status save(MutableBytes out) const;

  /// What save() wrote is in storage.
  virtual void on_saved();

  /// Continues from what save() wrote.
  ///
  /// Errors: kMalformed, kUnsupportedVersion: a part's state is of other parts or options; that
  /// part and those after it are unchanged, and learn anew.
  virtual Status restore(Bytes state);

 private:
  // What of the state is worth keeping.
  struct Known {
    bool scale = false;
    bool threshold = false;

    friend bool operator==(const Known&, const Known&) = default;
  };

  [[nodiscard]] Known known() const;
  [[nodiscard]] bool fits() const;
  [[nodiscard]] std::size_t channels() const;
  [[nodiscard]] bool are_readings(std::span<const std::int32_t> readings) const;
  Status scale_frame(std::span<const std::int32_t> frame, std::span<std::int16_t> features) const;
  [[nodiscard]] std::uint32_t scaler_bytes() const;

  ObserverParts parts_;
  Known saved_;
};

}  // namespace skep::observe
