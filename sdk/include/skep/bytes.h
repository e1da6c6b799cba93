// Spans of bytes, and the one interface through which stages read content that may lie in flash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "skep/status.h"

namespace skep {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

/// Random access to immutable bytes that need not be in RAM (a flash slot, a file, a span).
class ByteSource {
 public:
  /// Total size in bytes.
  [[nodiscard]] virtual std::uint32_t size_bytes() const = 0;

  /// Fills `out` from `offset`.
  ///
  /// Errors: kInvalidArgument if offset + out.size() > size_bytes(); kStorageFailed if the
  /// medium failed. On error the content of `out` is unspecified.
  virtual Status read(std::uint32_t offset, MutableBytes out) const = 0;

 protected:
  ~ByteSource() = default;
};

/// A ByteSource over memory that outlives it.
class SpanSource final : public ByteSource {
 public:
  explicit SpanSource(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint32_t size_bytes() const override {
    return static_cast<std::uint32_t>(bytes_.size());
  }
  Status read(std::uint32_t offset, MutableBytes out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return Status::kInvalidArgument;
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return Status::kOk;
  }

 private:
  Bytes bytes_;
};

}  // namespace skep
