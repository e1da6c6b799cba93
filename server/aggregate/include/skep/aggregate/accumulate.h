// The sum over a round's updates: where Valid becomes Accumulated.
#pragma once

#include <cstdint>

#include "skep/server_flow/flow.h"
#include "skep/status.h"

namespace skep::aggregate {

/// Sums sample_count * delta exactly. The result depends on the set of updates alone: not on their
/// order, nor on how they were split over accumulators that were merged.
///
/// Every summand is a multiple of 2^kMinDeltaExponent, and at most 2^(24 + 24 + 16 −
/// kMinDeltaExponent) = 2^96 units (sample count, value, scale), so 128 bits hold 2^31 of them:
/// nothing is rounded and nothing overflows.
/// Memory: 16 bytes a parameter, whatever the number of updates. Not thread-safe.
class Accumulator {
 public:
  explicit Accumulator(std::uint32_t dimension) : total_(dimension) {}

  /// Errors: kInvalidArgument if the update has another dimension; nothing is added.
  Status add(const server::Valid& update);

  /// Adds what another accumulator has. Errors: as add().
  Status merge(const server::Accumulated& other);

  [[nodiscard]] const server::Accumulated& total() const { return total_; }

 private:
  server::Accumulated total_;
};

}  // namespace skep::aggregate
