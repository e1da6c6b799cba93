// Reads a compressed delta, from anyone.
#pragma once

#include <array>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/compress/format.h"
#include "skep/compress/rice.h"
#include "skep/core/bit_io.h"
#include "skep/status.h"

namespace skep::compress {

struct CompressedHeader {
  std::uint32_t count;  ///< Number of entries, 1 … dimension.
  int exponent;  ///< An entry is value * 2^exponent; kMinDeltaExponent … kMaxDeltaExponent.
  std::uint8_t value_bits;  ///< Bits of a value, kMinValueBits … kMaxValueBits.
};

/// Streams the entries of a compressed delta (docs/reference/compressed-delta.md).
///
/// Safe on any bytes: it reads nothing outside of them, and the work is bounded by their length.
/// Needs no memory of the size of the model: 160 B of its own, no heap. A (indices, values,
/// exponent, value_bits) has exactly one encoding and nothing else is accepted, but some
/// violations show only at the end: entries count for nothing until next() has returned false.
/// inspect() below is the way to ask first. The bytes must outlive the decoder. Not thread-safe;
/// copies are independent.
class Decoder {
 public:
  /// Reads the header.
  ///
  /// Errors: kInvalidArgument if dimension is 0 or above kMaxParameters; kUnsupportedVersion;
  /// kMalformed for a truncated header, a field out of range, a count of 0 or above `dimension`,
  /// or fewer bytes than that many entries take.
  [[nodiscard]] static Result<Decoder> open(Bytes bytes, std::uint32_t dimension);

  [[nodiscard]] const CompressedHeader& header() const { return header_; }

  /// Reads one entry: true with the next higher index (< dimension) and its value in units of
  /// 2^exponent, |value| ≤ max_value(value_bits), which may be 0. False at the end.
  ///
  /// Errors: kMalformed if the bytes end too early, go on after the last entry, have a padding
  /// bit set, name an index ≥ dimension, hold the one value that no encoder writes, or use
  /// another Rice parameter than the best. From then on every call says so. On error and at the
  /// end `index` and `value` are unchanged.
  [[nodiscard]] Result<bool> next(std::uint32_t& index, std::int32_t& value);

 private:
  Decoder(CompressedHeader header, std::uint32_t rice_parameter, BitReader reader,
          std::uint32_t dimension);

  Status read_entry(std::uint32_t& index, std::int32_t& value);
  [[nodiscard]] Status check_end() const;

  CompressedHeader header_;
  std::uint32_t rice_parameter_;
  std::uint32_t dimension_;
  std::uint32_t next_index_ = 0;  // the lowest that the next entry may have
  std::uint32_t entries_left_;
  Status status_ = Status::kOk;
  BitReader reader_;
  RiceCost cost_;
};

/// What a compressed delta amounts to.
struct Summary {
  CompressedHeader header;
  std::uint64_t sum_of_squares;  ///< Σ value², in units of 2^(2 * exponent).
};

/// Checks the whole of a compressed delta: afterwards Decoder does not fail on the same bytes.
/// With skep::norm_at_most() (skep/core/norm.h) this is the gateway's check of the clip norm.
///
/// Errors: those of Decoder::open() and Decoder::next().
[[nodiscard]] Result<Summary> inspect(Bytes bytes, std::uint32_t dimension);

}  // namespace skep::compress
