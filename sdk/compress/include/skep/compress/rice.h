// Which Golomb-Rice parameter codes a list of gaps in the fewest bits.
#pragma once

#include <array>
#include <cstdint>

#include "skep/compress/format.h"

namespace skep::compress {

/// The best Golomb-Rice parameter for gaps that are seen one by one (Rice and Plaunt 1971).
///
/// With parameter p a gap g is g >> p in unary (that many ones and a zero) and its low p bits:
/// the sums of all quotients say which p is best, without a second look at the gaps. 100 B.
class RiceCost {
 public:
  /// `gap` < 2^(kMaxRiceParameter + 1); the sum of all gaps < 2^32.
  constexpr void add(std::uint32_t gap) {
    ++count_;
    for (std::uint32_t p = 0; gap != 0; ++p, gap >>= 1) quotient_sums_[p] += gap;
  }

  /// Bits of all gaps together with parameter p ≤ kMaxRiceParameter.
  [[nodiscard]] constexpr std::uint32_t bits(std::uint32_t p) const {
    return count_ * (p + 1) + quotient_sums_[p];
  }

  /// The parameter ≤ `max` ≤ kMaxRiceParameter with the fewest bits; of several the smallest.
  [[nodiscard]] constexpr std::uint32_t best_parameter(std::uint32_t max) const {
    std::uint32_t best = 0;
    for (std::uint32_t p = 1; p <= max; ++p) {
      if (bits(p) < bits(best)) best = p;
    }
    return best;
  }

 private:
  std::uint32_t count_ = 0;
  std::array<std::uint32_t, kMaxRiceParameter + 1> quotient_sums_{};
};

}  // namespace skep::compress
