// A quantile of a stream in constant memory, with a guaranteed relative error.
#pragma once

#include <array>
#include <cstdint>

namespace skep::observe {

/// A logarithmic histogram (the idea of DDSketch: Masson, Rim, Lee, VLDB 2019, with the linear
/// sub-buckets of HdrHistogram, which need no logarithm) that forgets.
///
/// Values below 16 have a bucket each; above, each octave is divided into 8. Chosen for its
/// guarantee: P² (Jain and Chlamtac 1985) and frugal streaming (Ma et al. 2013) are smaller, but
/// neither bounds its error, and both lag behind where losses jump by orders of magnitude.
///
/// Forgetting: whenever twice `memory` values have been counted, all counts are halved, the odd
/// ones handed down from bucket to bucket so that no value of rank loses or gains more than one
/// count. So a value's weight halves every `memory` values: the half-life.
///
/// sizeof is 488 B; add() and quantile() take at most 240 steps. Not thread-safe.
class QuantileEstimator {
 public:
  static constexpr std::uint16_t kMaxMemory = 32767;

  /// `memory` is clamped to 1 … kMaxMemory.
  explicit QuantileEstimator(std::uint16_t memory);

  void add(std::uint32_t value);

  /// Weight of the values counted: how many were added, until the first halving.
  [[nodiscard]] std::uint32_t weight() const { return weight_; }

  /// The smallest bucket's upper end such that at least rank_q16 / 2^16 of the weight lies at or
  /// below it; `rank_q16` is 1 … 65536. 0 if nothing was added.
  ///
  /// With v the exact quantile (the smallest value with that rank), of all values added if there
  /// was no halving: v ≤ result ≤ v + v / 8. After halvings v is the quantile for a rank that
  /// differs by at most 1 / weight() under weights that halve every `memory` values.
  [[nodiscard]] std::uint32_t quantile(std::uint32_t rank_q16) const;

 private:
  static constexpr std::uint32_t kBuckets = 16 + 28 * 8;

  void halve();

  std::array<std::uint16_t, kBuckets> counts_{};
  std::uint32_t weight_ = 0;
  std::uint16_t memory_;
};

}  // namespace skep::observe
