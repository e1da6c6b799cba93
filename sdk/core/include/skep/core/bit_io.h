// Bits in bytes, most significant first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep {

/// Writes bits into a span. 24 B, no heap; one owner at a time.
class BitWriter {
 public:
  explicit BitWriter(MutableBytes out) : out_(out) {}

  /// Appends the low `count` bits of `value`, the highest of them first. count ≤ 24.
  ///
  /// Errors: kNoMemory if a byte does not fit; what fitted before is written.
  Status write(std::uint32_t value, std::uint32_t count);

  /// Appends `value` ones and a zero. Errors as above.
  Status write_unary(std::uint32_t value);

  /// Fills the last byte with zeros; returns the number of bytes written. Errors as above.
  [[nodiscard]] Result<std::size_t> finish();

 private:
  MutableBytes out_;
  std::size_t size_bytes_ = 0;
  std::uint32_t pending_ = 0;  // the low pending_count_ bits are not yet in out_
  std::uint32_t pending_count_ = 0;
};

/// Reads bits from a span; safe on any bytes. 32 B, no heap. Copies are independent.
class BitReader {
 public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}

  /// Reads `count` bits, the first is the highest of the result. count ≤ 24.
  ///
  /// Errors: kMalformed if fewer are left; `value` is then unchanged.
  Status read(std::uint32_t count, std::uint32_t& value);

  /// Reads ones up to the next zero and counts them.
  ///
  /// Errors: kMalformed if there are more than `max`, or no zero follows; `value` is then
  /// unchanged and the position unspecified.
  Status read_unary(std::uint32_t max, std::uint32_t& value);

  /// Requires that nothing is left but the rest of a byte that was begun, all zeros.
  ///
  /// Errors: kMalformed.
  [[nodiscard]] Status check_end() const;

 private:
  void refill();

  Bytes bytes_;
  std::size_t next_byte_ = 0;
  std::uint32_t window_ = 0;  // the next bits, from the top; zeros below them
  std::uint32_t window_bits_ = 0;
};

}  // namespace skep
