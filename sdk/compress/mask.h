// K of d indices, chosen by a seed that both sides know.
#pragma once

#include <cstdint>

#include "skep/core/prng.h"

namespace skep::compress {

/// The indices of a uniformly chosen subset of `count` of `dimension`, rising, one at a time.
///
/// Selection sampling (Knuth, "The Art of Computer Programming", vol. 2, 3.4.2, algorithm S): an
/// element is taken with the probability of those still wanted among those still to come. No
/// memory, one random number an element; the probability of each is off by less than 2^-31.
class Mask {
 public:
  /// 1 ≤ count ≤ dimension < 2^31.
  Mask(std::uint32_t dimension, std::uint32_t count, std::uint32_t seed)
      : to_come_(dimension), wanted_(count), dimension_(dimension), random_(seed) {}

  /// The next index. Requires fewer than `count` calls before.
  std::uint32_t next() {
    while ((std::uint64_t{random_.next()} * to_come_) >> 32 >= wanted_) --to_come_;
    --wanted_;
    return dimension_ - to_come_--;
  }

 private:
  std::uint32_t to_come_;
  std::uint32_t wanted_;
  std::uint32_t dimension_;
  Xorshift32 random_;
};

}  // namespace skep::compress
