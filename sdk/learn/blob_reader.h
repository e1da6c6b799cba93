// Reads the little-endian integers of a weights blob in order, a few at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::learn {

/// The first failure of the medium sticks: reads then give 0 and status() says why. This keeps
/// the loops over thousands of weights free of error handling. 64 B of buffer.
class BlobReader {
 public:
  explicit BlobReader(const ByteSource& blob) : blob_(blob), left_bytes_(blob.size_bytes()) {}

  std::int16_t next_i16() {
    const std::uint32_t low = next_byte();
    return static_cast<std::int16_t>(next_byte() << 8 | low);
  }
  std::int32_t next_i32() {
    const std::uint32_t low = static_cast<std::uint16_t>(next_i16());
    const std::uint32_t high = static_cast<std::uint16_t>(next_i16());
    return static_cast<std::int32_t>(high << 16 | low);
  }
  /// Moves on to `offset` bytes from the blob's start, past what is not wanted.
  void skip_to(std::uint32_t offset) {
    if (offset == offset_ - (filled_ - position_) || status_ != Status::kOk) return;
    offset_ = offset;
    left_bytes_ = blob_.size_bytes() - offset;
    position_ = filled_ = 0;
  }
  [[nodiscard]] Status status() const { return status_; }

 private:
  static constexpr std::uint32_t kBufferBytes = 64;

  std::uint32_t next_byte() {
    if (position_ == filled_) refill();
    return buffer_[position_++];
  }

  void refill() {
    position_ = 0;
    filled_ = std::min(left_bytes_, kBufferBytes);
    if (filled_ == 0) fail(Status::kInvalidArgument);
    if (status_ == Status::kOk) {
      const Status read = blob_.read(offset_, MutableBytes(buffer_).first(filled_));
      if (read != Status::kOk) fail(read);
    }
    offset_ += filled_;
    left_bytes_ -= filled_;
  }

  void fail(Status status) {
    if (status_ == Status::kOk) status_ = status;
    buffer_.fill(0);
    filled_ = kBufferBytes;
    left_bytes_ = 0;
  }

  const ByteSource& blob_;
  std::uint32_t left_bytes_;
  std::uint32_t offset_ = 0;
  std::uint32_t position_ = 0;
  std::uint32_t filled_ = 0;
  std::array<std::uint8_t, kBufferBytes> buffer_{};
  Status status_ = Status::kOk;
};

}  // namespace skep::learn
