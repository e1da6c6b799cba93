// EDEN with one bit an element: a random rotation makes all elements alike, so that their signs
// and one scale say nearly all.
//
// With y = H D x (D random signs, H H = n I), the decoded vector is D H sign(y) * scale, and
// scale = |x|² / Σ|y| makes its projection on x be x (Vargaftik et al. 2022, section 3).
#include <cstdint>
#include <cstdlib>

#include "encoders.h"
#include "hadamard.h"
#include "skep/core/norm.h"

namespace skep::compress {
namespace {

void load_with_random_signs(std::span<const std::int16_t> values, std::uint32_t seed,
                            std::span<std::int16_t> out) {
  std::uint32_t signs = 0;
  for (std::uint32_t i = 0; i < out.size(); ++i) {
    if (i % 32 == 0) signs = random_signs(seed, i / 32);
    const std::int32_t value = i < values.size() ? values[i] : 0;
    const std::int32_t signed_value = (signs >> (i % 32) & 1U) != 0 ? -value : value;
    // −INT16_MIN is the one that does not fit.
    out[i] = static_cast<std::int16_t>(signed_value > INT16_MAX ? INT16_MAX : signed_value);
  }
}

/// One bit each, negative ones set. Returns Σ|value|.
std::uint64_t write_signs(std::span<const std::int16_t> values, std::uint8_t* out) {
  std::uint64_t sum = 0;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    bits = bits << 1 | (values[i] < 0 ? 1U : 0U);
    sum += static_cast<std::uint32_t>(std::abs(std::int32_t{values[i]}));
    if (i % 8 == 7) *out++ = static_cast<std::uint8_t>(bits);
  }
  return sum;
}

}  // namespace

Result<std::size_t> encode_eden(const Delta& delta, const Options& options, MutableBytes out,
                                std::span<std::int16_t> scratch) {
  const std::uint32_t padded = padded_dimension(static_cast<std::uint32_t>(delta.values.size()));
  const std::size_t size_bytes = kScaledHeaderBytes + padded / 8;
  if (size_bytes > out.size() || padded > scratch.size()) return Status::kNoMemory;
  const std::span<std::int16_t> rotated = scratch.first(padded);
  load_with_random_signs(delta.values, options.seed, rotated);
  const int halvings = transform_int16(rotated);
  const std::uint64_t magnitudes = write_signs(rotated, out.data() + kScaledHeaderBytes);
  // A rotated value is 2^halvings times what is left of it, and it divides.
  const Scale scale =
      make_scale(sum_of_squares(delta.values), magnitudes << halvings, delta.exponent);
  // Decoded values, those of the padding included, are a rotation of n signs times √n.
  write_scaled_header(out.first(size_bytes), options, scale, std::uint64_t{padded} * padded);
  return size_bytes;
}

}  // namespace skep::compress
