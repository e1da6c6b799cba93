#include "skep/core/bit_io.h"

#include <bit>

namespace skep {

Status BitWriter::write(std::uint32_t value, std::uint32_t count) {
  // At most 7 bits wait, so 24 more fit into 32; what lies above them is never looked at.
  pending_ = (pending_ << count) | (value & ((std::uint32_t{1} << count) - 1));
  pending_count_ += count;
  while (pending_count_ >= 8) {
    if (size_bytes_ == out_.size()) return Status::kNoMemory;
    pending_count_ -= 8;
    out_[size_bytes_++] = static_cast<std::uint8_t>(pending_ >> pending_count_);
  }
  return Status::kOk;
}

Status BitWriter::write_unary(std::uint32_t value) {
  constexpr std::uint32_t kChunk = 24;
  for (; value >= kChunk; value -= kChunk) SKEP_TRY(write(UINT32_MAX, kChunk));
  return write(UINT32_MAX << 1, value + 1);
}

Result<std::size_t> BitWriter::finish() {
  if (pending_count_ > 0) SKEP_TRY(write(0, 8 - pending_count_));
  return size_bytes_;
}

void BitReader::refill() {
  while (window_bits_ <= 24 && next_byte_ < bytes_.size()) {
    window_ |= std::uint32_t{bytes_[next_byte_++]} << (24 - window_bits_);
    window_bits_ += 8;
  }
}

Status BitReader::read(std::uint32_t count, std::uint32_t& value) {
  if (count == 0) {
    value = 0;
    return Status::kOk;
  }
  refill();
  if (count > window_bits_) return Status::kMalformed;
  value = window_ >> (32 - count);
  window_ <<= count;
  window_bits_ -= count;
  return Status::kOk;
}

Status BitReader::read_unary(std::uint32_t max, std::uint32_t& value) {
  std::uint32_t count = 0;
  for (;;) {
    refill();
    // Below the window's bits are zeros: there are never more ones than bits.
    const auto ones = static_cast<std::uint32_t>(std::countl_one(window_));
    if (ones > max - count) return Status::kMalformed;
    count += ones;
    if (ones < window_bits_) {
      window_ = window_ << ones << 1;
      window_bits_ -= ones + 1;
      value = count;
      return Status::kOk;
    }
    if (next_byte_ == bytes_.size()) return Status::kMalformed;
    window_ = 0;
    window_bits_ = 0;
  }
}

Status BitReader::check_end() const {
  const std::size_t bits_left = (bytes_.size() - next_byte_) * 8 + window_bits_;
  return bits_left < 8 && window_ == 0 ? Status::kOk : Status::kMalformed;
}

}  // namespace skep
