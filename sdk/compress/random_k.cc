// Random-K: the mask is public, so only values are sent. The sum of K / d of the elements, times
// d / K, is right in the mean.
#include <algorithm>
#include <cstdint>

#include "encoders.h"
#include "mask.h"
#include "skep/core/bit_io.h"
#include "skep/core/prng.h"
#include "top_k.h"

namespace skep::compress {
namespace {

/// Value / 2^shift, up with the probability of what is cut off. Requires shift ≤ 15.
std::uint32_t round_stochastically(std::uint32_t magnitude, std::uint32_t shift,
                                   Xorshift32& random) {
  if (shift == 0) return magnitude;
  return (magnitude + (random.next() >> (32 - shift))) >> shift;
}

std::uint32_t largest_chosen(std::span<const std::int16_t> values, const Options& options) {
  Mask mask(static_cast<std::uint32_t>(values.size()), options.keep_count, options.seed);
  std::uint32_t largest = 0;
  for (std::uint32_t i = 0; i < options.keep_count; ++i) {
    largest = std::max(largest, magnitude_of(values[mask.next()]));
  }
  return largest;
}

/// The fewest halvings after which even what is rounded up fits into the bits.
std::uint32_t shift_for(std::uint32_t largest, std::uint32_t bits) {
  const auto limit = static_cast<std::uint32_t>(max_value(bits));
  std::uint32_t shift = 0;
  while (((largest - 1) >> shift) + 1 > limit) ++shift;
  return shift;
}

/// Returns the sum of squares of what it writes. `out` has the room.
std::uint64_t write_values(std::span<const std::int16_t> values, const Options& options,
                           std::uint32_t shift, MutableBytes out) {
  Mask mask(static_cast<std::uint32_t>(values.size()), options.keep_count, options.seed);
  Xorshift32 random(mix_seed(options.seed, kRoundingSalt));
  BitWriter writer(out);
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < options.keep_count; ++i) {
    const std::int16_t value = values[mask.next()];
    const std::uint32_t magnitude = round_stochastically(magnitude_of(value), shift, random);
    (void)writer.write(value < 0 ? 0U - magnitude : magnitude, options.value_bits);
    sum += magnitude * magnitude;
  }
  (void)writer.finish();
  return sum;
}

}  // namespace

Result<std::size_t> encode_random_k(const Delta& delta, const Options& options, MutableBytes out) {
  const auto dimension = static_cast<std::uint32_t>(delta.values.size());
  const std::uint32_t size_bytes = max_compressed_bytes(dimension, options);
  if (size_bytes > out.size()) return Status::kNoMemory;
  const std::uint32_t largest = largest_chosen(delta.values, options);
  const std::uint32_t shift = largest == 0 ? 0 : shift_for(largest, options.value_bits);
  const std::uint64_t sum =
      write_values(delta.values, options, shift,
                   out.subspan(kScaledHeaderBytes, size_bytes - kScaledHeaderBytes));
  const Scale scale =
      make_scale(dimension, options.keep_count, delta.exponent + static_cast<int>(shift));
  write_scaled_header(out.first(size_bytes), options, scale, sum);
  return std::size_t{size_bytes};
}

}  // namespace skep::compress
