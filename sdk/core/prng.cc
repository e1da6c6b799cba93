#include "skep/core/prng.h"

namespace skep {
namespace {

// The 32-bit finaliser of MurmurHash3 (A. Appleby, public domain): a bijection with full avalanche.
constexpr std::uint32_t avalanche(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x85EBCA6BU;
  x ^= x >> 13;
  x *= 0xC2B2AE35U;
  x ^= x >> 16;
  return x;
}

}  // namespace

std::uint32_t mix_seed(std::uint32_t a, std::uint32_t b) {
  // The constant keeps (0, 0) from being a fixed point; hashing `a` first breaks the symmetry.
  return avalanche(avalanche(a + Xorshift32::kSeedForZero) + b);
}

}  // namespace skep
