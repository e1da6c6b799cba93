// Says which losses are unusual for this device: an autoencoder's loss is its anomaly score.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/observe/quantile_estimator.h"
#include "skep/status.h"

namespace skep::observe {

/// What the model thinks of one sample.
struct Score {
  std::uint32_t loss_q16 = 0;       ///< The model's loss, Q16.16.
  std::uint32_t threshold_q16 = 0;  ///< Losses above are anomalies. UINT32_MAX: not known yet.
  bool is_anomaly = false;          ///< loss_q16 > threshold_q16.
  bool begins_alarm = false;        ///< Worth a message: see AnomalyOptions.

  friend bool operator==(const Score&, const Score&) = default;
};

struct AnomalyOptions {
  std::uint32_t rank_q16 = 64881;   ///< The quantile, 1 … 65536; 0.99 by default.
  std::uint16_t factor_q8 = 256;    ///< Threshold = quantile * factor_q8 / 256; ≥ 1.
  std::uint16_t warm_up = 64;       ///< Losses before there is a threshold, ≥ 1.
  std::uint16_t memory = 4096;      ///< Half-life of what is known, in losses (QuantileEstimator).
  std::uint16_t quiet_losses = 24;  ///< Losses in a row that are no anomalies end an alarm, ≥ 1.
  /// An alarm that lasts begins again with the first anomaly after so many losses: whoever missed
  /// the message gets another, and what comes on top of a small deviation is told. 0: never.
  std::uint16_t repeat_losses = 0;
};

/// A threshold of the device's own: a quantile of the losses that it has seen, times a factor.
///
/// Losses above the threshold count as if they were an eighth above it. So an incident, however
/// extreme, does not teach the detector at once that it is normal, and a state that stays does in
/// the end: once more than 1 − rank of what is remembered are anomalies, the threshold climbs,
/// bucket by bucket.
///
/// After a reset it knows the threshold that was saved until it has seen `warm_up` losses again.
/// Not thread-safe; no heap; 520 B.
class AnomalyDetector {
 public:
  static constexpr std::uint32_t kStateBytes = 5;

  explicit AnomalyDetector(const AnomalyOptions& options);

  /// Judges a loss; changes nothing.
  [[nodiscard]] Score judge(std::uint32_t loss_q16) const;

  /// Judges a loss, then learns from it.
  Score learn(std::uint32_t loss_q16);

  /// UINT32_MAX while it is not known.
  [[nodiscard]] std::uint32_t threshold_q16() const;

  /// Errors: kInvalidArgument if `out` has not kStateBytes; it is then unchanged.
  Status save(MutableBytes out) const;

  /// Errors: kMalformed, kUnsupportedVersion. Nothing is changed then.
  Status restore(Bytes state);

 private:
  AnomalyOptions options_;
  QuantileEstimator losses_;
  std::uint32_t learned_ = 0;                          // saturates at warm_up
  std::uint32_t restored_threshold_q16_ = UINT32_MAX;  // until warm_up losses were learned
  std::uint32_t losses_since_anomaly_ = UINT32_MAX;    // saturates
  std::uint32_t losses_since_alarm_ = 0;               // saturates; since one began
};

}  // namespace skep::observe
