// Reads a compressed delta, from anyone.
#pragma once

#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/compress/compressor.h"
#include "skep/flow.h"
#include "skep/status.h"

namespace skep::compress {

/// A delta, except for its values: element i is values[i] * scale * 2^exponent.
struct Decoded {
  int exponent;                  ///< kMinDeltaExponent … kMaxDeltaExponent.
  std::uint16_t scale;           ///< 1 for top-K.
  std::uint64_t sum_of_squares;  ///< Σ values²; at most 2^54.
};

/// Elements of memory that decode() takes: EDEN's transform is longer than the delta.
[[nodiscard]] constexpr std::uint32_t decoded_elements(std::uint32_t dimension,
                                                       CompressionMode mode) {
  return mode == CompressionMode::kEden ? padded_dimension(dimension) : dimension;
}

/// Decodes a delta of `dimension` elements into the front of `values`; elements that were not sent
/// are 0. |values[i]| ≤ 2^24.
///
/// Safe on any bytes: it reads nothing outside of them, and the work is bounded by their length
/// and the dimension (EDEN: d log2 d additions). Content has exactly one encoding and nothing else
/// is accepted (docs/reference/compressed-delta.md). No heap, thread-safe.
///
/// Errors: kInvalidArgument if !is_valid(dimension, options) or `values` is shorter than
/// decoded_elements(); kUnsupportedVersion for a format that this build does not know; kMalformed
/// for another one than options.mode, another count or number of bits than the options', and
/// bytes that no encoder writes. On error `values` is unspecified.
[[nodiscard]] Result<Decoded> decode(Bytes bytes, std::uint32_t dimension, const Options& options,
                                     std::span<std::int32_t> values);

/// Whether √sum_of_squares * scale * 2^exponent ≤ bound, without any rounding: the gateway's check
/// of the clip norm, which the encoder makes too.
[[nodiscard]] bool norm_at_most(const Decoded& delta, Norm bound);

}  // namespace skep::compress
