// From a dense delta to the few bytes that are sent: top-K, quantisation, Rice-coded indices.
#pragma once

#include <bit>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/compress/format.h"
#include "skep/flow.h"
#include "skep/status.h"

namespace skep::compress {

struct Options {
  std::uint32_t keep_count;  ///< K: elements sent, 1 … dimension.
  std::uint8_t value_bits;  ///< Bits of a sent value, sign included: kMinValueBits … kMaxValueBits.
};

/// K for a plan's keep_permille: ceil(dimension * keep_permille / 1000), at most `dimension`.
[[nodiscard]] constexpr std::uint32_t keep_count_for(std::uint32_t dimension,
                                                     std::uint32_t keep_permille) {
  const std::uint64_t count = (std::uint64_t{dimension} * keep_permille + 999) / 1000;
  return count < dimension ? static_cast<std::uint32_t>(count) : dimension;
}

/// Whether compress() takes these options for a delta of that many elements.
[[nodiscard]] constexpr bool is_valid(std::uint32_t dimension, const Options& options) {
  return dimension <= kMaxParameters && options.keep_count >= 1 &&
         options.keep_count <= dimension && options.value_bits >= kMinValueBits &&
         options.value_bits <= kMaxValueBits;
}

/// A length in bytes that no compressed delta exceeds, whatever its values; 0 if the options are
/// not valid for the dimension.
///
/// K gaps sum to at most d − K, so parameter p costs at most K(p + 1) + (d − K) / 2^p bits; the
/// encoder takes the best p. For d = 2,410 and K = 241 the bound is 2 % above what is measured.
[[nodiscard]] constexpr std::uint32_t max_compressed_bytes(std::uint32_t dimension,
                                                           const Options& options) {
  if (!is_valid(dimension, options)) return 0;
  const std::uint32_t count = options.keep_count;
  std::uint32_t gap_bits = UINT32_MAX;
  for (std::uint32_t p = 0; p <= kMaxRiceParameter; ++p) {
    const std::uint32_t bits = count * (p + 1) + ((dimension - count) >> p);
    if (bits < gap_bits) gap_bits = bits;
  }
  return header_bytes(count) + (count * options.value_bits + gap_bits + 7) / 8;
}

/// Encodes the K elements of largest magnitude (docs/reference/compressed-delta.md).
///
/// Shape [d], 1 ≤ d ≤ kMaxParameters. Exactly K elements are sent, always: of a delta with fewer
/// than K non-zero elements, zeros too, so the gateway knows the count beforehand. Magnitudes are
/// compared in logarithmic buckets, 8 an octave, and in the last bucket lower indices go first:
/// an element that is left out is less than 9/8 of any that is sent.
///
/// Values are divided by the smallest power of two that makes all of them fit into value_bits,
/// and rounded toward zero: no decoded value is larger than its original, hence the norm of what
/// is sent is at most that of `update` and the gateway's check of the clip norm never fails for
/// rounding. (If that power of two would lift the exponent above kMaxDeltaExponent, which takes a
/// delta with elements above 2^(value_bits − 1), values saturate instead.)
///
/// The same input gives the same bytes on every machine. One pass that counts, two that select.
/// Stack 600 B (400 B if SKEP_MAX_PARAMETERS < 65536), no heap, thread-safe. Result: a view of
/// the front of `out`.
///
/// Errors: kInvalidArgument if !is_valid(d, options); kNoMemory if `out` is too small;
/// max_compressed_bytes() always suffices. On error `out` is unchanged.
[[nodiscard]] Result<Compressed> compress(const Noised& update, const Options& options,
                                          MutableBytes out);

}  // namespace skep::compress
