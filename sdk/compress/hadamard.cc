#include "hadamard.h"

#include <cstddef>

#include "skep/core/prng.h"
#include "top_k.h"

namespace skep::compress {
namespace {

// What a stage may find and not overflow, its results being sums of two.
constexpr std::uint32_t kMaxBeforeSum = INT16_MAX / 2;

}  // namespace

std::uint32_t random_signs(std::uint32_t seed, std::uint32_t block) {
  // Not xorshift: it is linear in bits, and so are the rows of H.
  return mix_seed(seed, block);
}

int transform_int16(std::span<std::int16_t> values) {
  int halvings = 0;
  std::uint32_t magnitudes = 0;  // all of them, or-ed: an upper bound in powers of two
  for (const std::int16_t value : values) magnitudes |= magnitude_of(value);
  for (std::size_t half = 1; half < values.size(); half *= 2) {
    const std::int32_t divisor = magnitudes > kMaxBeforeSum ? 2 : 1;
    halvings += divisor - 1;
    magnitudes = 0;
    for (std::size_t i = 0; i < values.size(); i = (i + half + 1) & ~half) {
      const std::int32_t a = values[i];
      const std::int32_t b = values[i + half];
      values[i] = static_cast<std::int16_t>((a + b) / divisor);
      values[i + half] = static_cast<std::int16_t>((a - b) / divisor);
      magnitudes |= magnitude_of(values[i]) | magnitude_of(values[i + half]);
    }
  }
  return halvings;
}

void transform_exactly(std::span<std::int32_t> values) {
  for (std::size_t half = 1; half < values.size(); half *= 2) {
    for (std::size_t i = 0; i < values.size(); i = (i + half + 1) & ~half) {
      const std::int32_t a = values[i];
      const std::int32_t b = values[i + half];
      values[i] = a + b;
      values[i + half] = a - b;
    }
  }
}

}  // namespace skep::compress
