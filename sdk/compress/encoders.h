// The encoders behind compress(), one file a family.
//
// All: the options are valid for the delta's length, and the number of bytes written to the front
// of `out` is returned. Errors: kNoMemory if `out` (or `scratch`) is too small, which is then
// unchanged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "scale.h"
#include "skep/bytes.h"
#include "skep/compress/compressor.h"
#include "skep/compress/format.h"
#include "skep/flow.h"
#include "skep/status.h"

namespace skep::compress {

// Keeps the stream of stochastic rounding apart from that of the mask, which has the same seed.
inline constexpr std::uint32_t kRoundingSalt = 0x726F756E;

/// Top-K and ternary: the K largest, with Rice-coded gaps between their indices.
Result<std::size_t> encode_sparse(const Delta& delta, const Options& options, MutableBytes out);

Result<std::size_t> encode_int8(const Delta& delta, const Options& options, MutableBytes out);

Result<std::size_t> encode_random_k(const Delta& delta, const Options& options, MutableBytes out);

Result<std::size_t> encode_eden(const Delta& delta, const Options& options, MutableBytes out,
                                std::span<std::int16_t> scratch);

/// First byte of a compressed delta.
[[nodiscard]] constexpr std::uint8_t format_byte(CompressionMode mode, std::uint32_t low_bits) {
  return static_cast<std::uint8_t>(static_cast<std::uint32_t>(mode) << 4 | low_bits);
}

/// Writes the header before the values that `encoded` has at its place behind it, with the largest
/// scale ≤ `scale` that keeps the norm of values with that sum of squares. A scale of 0 has one
/// encoding: zeros.
void write_scaled_header(MutableBytes encoded, const Options& options, const Scale& scale,
                         std::uint64_t sum_of_squares);

}  // namespace skep::compress
