// Streams the entries of top-K and ternary: what the device itself has to read again.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/compress/compressor.h"
#include "skep/compress/rice.h"
#include "skep/core/bit_io.h"
#include "skep/status.h"

namespace skep::compress {

struct SparseHeader {
  std::uint32_t count;  ///< Number of entries, options.keep_count.
  int exponent;         ///< An entry is value * scale * 2^exponent.
  std::uint8_t scale;   ///< Top-K: 1. Ternary: the magnitude.
};

/// Needs no memory of the size of the model: 160 B of its own, no heap. Some violations of the
/// format show only at the end: entries count for nothing until next() has returned false. The
/// bytes must outlive the decoder. Not thread-safe; copies are independent.
class SparseDecoder {
 public:
  /// Reads the header. `options` are valid for `dimension`, of a mode that has error feedback.
  ///
  /// Errors: kUnsupportedVersion; kMalformed for another mode than the options', a truncated
  /// header, a field out of range, another count or number of bits than the options', or fewer
  /// bytes than that many entries take.
  [[nodiscard]] static Result<SparseDecoder> open(Bytes bytes, std::uint32_t dimension,
                                                  const Options& options);

  [[nodiscard]] const SparseHeader& header() const { return header_; }

  /// Reads one entry: true with the next higher index (< dimension) and its value, |value| ≤
  /// max_value(value_bits), ternary 1; it may be 0. False at the end.
  ///
  /// Errors: kMalformed if the bytes end too early, go on after the last entry, have a padding
  /// bit set, name an index ≥ dimension, hold the one value that no encoder writes, or use
  /// another Rice parameter than the best. From then on every call says so. On error and at the
  /// end `index` and `value` are unchanged.
  [[nodiscard]] Result<bool> next(std::uint32_t& index, std::int32_t& value);

 private:
  SparseDecoder(const SparseHeader& header, std::uint32_t rice_parameter, BitReader reader,
                std::uint32_t dimension, const Options& options);

  Status read_entry(std::uint32_t& index, std::int32_t& value);
  Status read_gap(std::uint32_t& gap);
  Status read_value(std::int32_t& value);
  [[nodiscard]] Status check_end() const;

  SparseHeader header_;
  std::uint32_t rice_parameter_;
  std::uint32_t dimension_;
  std::uint32_t next_index_ = 0;  // the lowest that the next entry may have
  std::uint32_t entries_left_;
  std::uint32_t value_bits_;
  bool is_ternary_;
  Status status_ = Status::kOk;
  BitReader reader_;
  RiceCost cost_;
};

/// Whether `bytes` begin as the format of `mode` does.
///
/// Errors: kUnsupportedVersion for a format that this build does not know; kMalformed for another.
Status check_format(Bytes bytes, CompressionMode mode);

/// A two's complement number of that many bits; the most negative one is never written.
///
/// Errors: kMalformed for that one.
Result<std::int32_t> to_value(std::uint32_t code, std::uint32_t value_bits);

}  // namespace skep::compress
