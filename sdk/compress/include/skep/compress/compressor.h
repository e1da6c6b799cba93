// From a dense delta to the few bytes that are sent, in one of five ways.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/compress/format.h"
#include "skep/compression.h"
#include "skep/flow.h"
#include "skep/status.h"

namespace skep::compress {

/// What encoder and decoder have to agree on besides the dimension.
struct Options {
  std::uint32_t keep_count = 0;  ///< K: elements sent, 1 … dimension; 0 if !has_keep_count(mode).
  std::uint8_t value_bits = 0;   ///< Bits of a sent value, sign included: kMinValueBits …
                                 ///< kMaxValueBits; 0 if !has_value_bits(mode).
  CompressionMode mode = CompressionMode::kTopK;
  std::uint32_t seed = 0;  ///< public_seed(): of random choices; top-K and ternary make none.
  Norm max_norm{};         ///< Of what is decoded, > 0; top-K and ternary keep `update`'s norm.
};

/// K for a plan's keep_permille: ceil(dimension * keep_permille / 1000), at most `dimension`.
[[nodiscard]] constexpr std::uint32_t keep_count_for(std::uint32_t dimension,
                                                     std::uint32_t keep_permille) {
  const std::uint64_t count = (std::uint64_t{dimension} * keep_permille + 999) / 1000;
  return count < dimension ? static_cast<std::uint32_t>(count) : dimension;
}

/// The options for what a plan says, for a model of that many parameters.
[[nodiscard]] constexpr Options options_for(const Compression& plan, std::uint32_t dimension,
                                            std::uint32_t seed, Norm max_norm) {
  return {.keep_count = keep_count_for(dimension, plan.keep_permille),
          .value_bits = plan.value_bits,
          .mode = plan.mode,
          .seed = seed,
          .max_norm = max_norm};
}

/// The seed of a device's random choices in one round, from the round's id, the digest of the base
/// model's weights and the device's name (null-terminated): gateway and device know all three, so
/// neither mask nor rotation is sent. It is no secret, and a federation that is run again with the
/// same models has it again; the plan's nonce, new in each run, has no part in it.
[[nodiscard]] std::uint32_t public_seed(std::uint32_t round, Bytes base_digest, const char* device);

/// Whether compress() takes these options for a delta of that many elements.
[[nodiscard]] constexpr bool is_valid(std::uint32_t dimension, const Options& options) {
  const bool count_fits = has_keep_count(options.mode)
                              ? options.keep_count >= 1 && options.keep_count <= dimension
                              : options.keep_count == 0;
  const bool bits_fit = has_value_bits(options.mode) ? options.value_bits >= kMinValueBits &&
                                                           options.value_bits <= kMaxValueBits
                                                     : options.value_bits == 0;
  const bool norm_fits = has_error_feedback(options.mode) || options.max_norm.q16 > 0;
  return dimension >= 1 && dimension <= kMaxParameters && count_fits && bits_fit && norm_fits;
}

/// A length in bytes that no compressed delta exceeds, whatever its values; 0 if the options are
/// not valid for the dimension. Exact for int8, EDEN and random-K.
///
/// Top-K and ternary: K gaps sum to at most d − K, so parameter p costs at most
/// K(p + 1) + (d − K) / 2^p bits; the encoder takes the best p. For d = 2,410 and K = 241 the
/// bound is 2 % above what is measured.
[[nodiscard]] constexpr std::uint32_t max_compressed_bytes(std::uint32_t dimension,
                                                           const Options& options) {
  if (!is_valid(dimension, options)) return 0;
  const std::uint32_t count = options.keep_count;
  if (options.mode == CompressionMode::kInt8) return kScaledHeaderBytes + dimension;
  if (options.mode == CompressionMode::kEden) {
    return kScaledHeaderBytes + padded_dimension(dimension) / 8;
  }
  if (options.mode == CompressionMode::kRandomK) {
    return kScaledHeaderBytes + (count * options.value_bits + 7) / 8;
  }
  const bool is_ternary = options.mode == CompressionMode::kTernary;
  const std::uint32_t max_parameter = is_ternary ? kMaxTernaryRiceParameter : kMaxRiceParameter;
  std::uint32_t gap_bits = UINT32_MAX;
  for (std::uint32_t p = 0; p <= max_parameter; ++p) {
    const std::uint32_t bits = count * (p + 1) + ((dimension - count) >> p);
    if (bits < gap_bits) gap_bits = bits;
  }
  const std::uint32_t value_bits = is_ternary ? 1 : options.value_bits;
  const std::uint32_t front_bytes = is_ternary ? kTernaryHeaderBytes : header_bytes(count);
  return front_bytes + (count * value_bits + gap_bits + 7) / 8;
}

/// Elements of scratch memory that compress() takes: padded_dimension() for EDEN, otherwise 0.
[[nodiscard]] constexpr std::uint32_t scratch_elements(std::uint32_t dimension,
                                                       CompressionMode mode) {
  return mode == CompressionMode::kEden ? padded_dimension(dimension) : 0;
}

/// Encodes a delta as docs/reference/compressed-delta.md says.
///
/// Shape [d], 1 ≤ d ≤ kMaxParameters. What the modes do:
///   kTopK     exactly K elements, always (of a delta with fewer that are not zero, zeros too),
///             divided by the smallest power of two that makes all fit into value_bits, rounded
///             toward zero. Magnitudes are compared in logarithmic buckets, 8 an octave, and in
///             the last bucket lower indices go first: an element that is left out is less than
///             9/8 of any that is sent.
///   kTernary  the signs of the same K and one magnitude, at most their mean (Sattler et al. 2019).
///   kInt8     all elements, stochastically rounded to −127 … 127 steps of max|x| / 127.
///   kEden     the signs of a randomised Hadamard transform (Vargaftik et al. 2022), with the scale
///             that makes the decoded vector's projection on `update` be `update`.
///   kRandomK  K elements chosen by the seed, stochastically rounded to value_bits, scaled by d /
///   K.
///
/// Norm: what is decoded has a norm of at most `update`'s (kTopK, kTernary: by construction) or
/// options.max_norm (the others enlarge it, so the encoder lowers the scale until the exact norm of
/// what is decoded fits); the gateway's check never fails for rounding. (Top-K: if the power of
/// two would lift the exponent above kMaxDeltaExponent, which takes a delta with elements above
/// 2^(value_bits − 1), values saturate instead.)
///
/// The same input gives the same bytes on every machine. Two or three passes, for EDEN
/// log2(d) + 2. `scratch`: scratch_elements(), apart from the delta; its content is lost.
/// Stack 800 B (600 B if SKEP_MAX_PARAMETERS < 65536), no heap, thread-safe. Result: a view of
/// the front of `out`.
///
/// Errors: kInvalidArgument if !is_valid(d, options); kNoMemory if `out` or `scratch` is too small;
/// max_compressed_bytes() always suffices. On error `out` is unchanged.
[[nodiscard]] Result<Compressed> compress(const Noised& update, const Options& options,
                                          MutableBytes out, std::span<std::int16_t> scratch = {});

}  // namespace skep::compress
