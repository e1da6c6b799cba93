// A part of the flash as a ByteSource.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/platform.h"

namespace skep::model {

/// Reads `size_bytes` bytes of `storage` from `offset` on. A view: 12 bytes, copyable, valid as
/// long as the storage is and the region is not erased.
class FlashSource final : public ByteSource {
 public:
  FlashSource(Storage& storage, std::uint32_t offset, std::uint32_t size_bytes)
      : storage_(&storage), offset_(offset), size_bytes_(size_bytes) {}

  [[nodiscard]] std::uint32_t size_bytes() const override { return size_bytes_; }

  Status read(std::uint32_t offset, MutableBytes out) const override {
    if (offset > size_bytes_ || out.size() > size_bytes_ - offset) {
      return Status::kInvalidArgument;
    }
    if (out.empty()) return Status::kOk;
    return storage_->read(offset_ + offset, out);
  }

 private:
  Storage* storage_;
  std::uint32_t offset_;
  std::uint32_t size_bytes_;
};

}  // namespace skep::model
