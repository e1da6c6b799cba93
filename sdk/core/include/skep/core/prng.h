// Small, fast, reproducible pseudo-random numbers: for rounding, initial weights and the order of
// samples. Never for keys, nonces or privacy noise: those come from skep::Entropy.
#pragma once

#include <cstdint>

namespace skep {

/// Xorshift generator with shifts 13, 17, 5 (Marsaglia, "Xorshift RNGs", 2003, section 4).
///
/// Period 2^32 − 1 over the non-zero 32-bit values. A value type of 4 bytes; one owner at a time.
class Xorshift32 {
 public:
  /// A seed of 0 is the one state that xorshift never leaves: it is mapped to kSeedForZero.
  explicit constexpr Xorshift32(std::uint32_t seed) : state_(seed == 0 ? kSeedForZero : seed) {}

  /// The next of the sequence; never 0.
  constexpr std::uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  static constexpr std::uint32_t kSeedForZero = 0x9E3779B9;  // 2^32 divided by the golden ratio

 private:
  std::uint32_t state_;
};

/// Derives a seed from two numbers, such as a device's seed and a round.
///
/// Every bit of the result depends on every bit of both, and (a, b) and (b, a) give different
/// seeds, so streams of neighbouring devices and rounds are unrelated. Not cryptographic.
[[nodiscard]] std::uint32_t mix_seed(std::uint32_t a, std::uint32_t b);

}  // namespace skep
