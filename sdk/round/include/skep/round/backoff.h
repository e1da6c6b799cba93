// Jittered exponential back-off, so that a gateway's restart is not followed by a stampede.
#pragma once

#include <cstdint>

#include "skep/platform.h"

namespace skep::round {

struct BackoffLimits {
  std::uint32_t first_ms = 1'000;      ///< ≥ 2: ceiling of the first delay.
  std::uint32_t longest_ms = 300'000;  ///< ≥ first_ms: ceiling of all delays.
};

/// The ceiling doubles with each failure; a delay is uniform in the upper half of its range
/// ("equal jitter"). Not thread-safe.
class Backoff {
 public:
  /// `entropy` outlives the object. If it fails the delay is the ceiling itself: waiting needs no
  /// secrecy.
  Backoff(BackoffLimits limits, Entropy& entropy);

  /// The delay before the next attempt, in milliseconds, ≤ longest_ms.
  [[nodiscard]] std::uint32_t next_ms();

  /// After a success: the next delay is the shortest again.
  void reset() { ceiling_ms_ = limits_.first_ms; }

 private:
  BackoffLimits limits_;
  Entropy& entropy_;
  std::uint32_t ceiling_ms_;
};

}  // namespace skep::round
