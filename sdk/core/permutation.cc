#include "skep/core/permutation.h"

#include <bit>

#include "skep/core/prng.h"

namespace skep {
namespace {

// Luby and Rackoff need 4 rounds for a strong permutation; small halves mix less per round.
constexpr std::uint32_t kRounds = 6;

}  // namespace

Permutation::Permutation(std::uint32_t n, std::uint32_t seed) : n_(n), seed_(seed), half_bits_(1) {
  const auto bits = n < 2 ? 0U : static_cast<std::uint32_t>(std::bit_width(n - 1));
  if (bits > 2) half_bits_ = (bits + 1) / 2;
}

std::uint32_t Permutation::encrypt(std::uint32_t value) const {
  const std::uint32_t mask = (1U << half_bits_) - 1;
  std::uint32_t left = value >> half_bits_;
  std::uint32_t right = value & mask;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    const std::uint32_t key = mix_seed(seed_, round);
    const std::uint32_t next = left ^ (mix_seed(key, right) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

std::uint32_t Permutation::operator()(std::uint32_t i) const {
  // The network permutes a range that contains [0, n): following i's cycle leads back into it.
  do {
    i = encrypt(i);
  } while (i >= n_);
  return i;
}

}  // namespace skep
