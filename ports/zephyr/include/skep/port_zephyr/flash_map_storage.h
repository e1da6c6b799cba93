// A partition of Zephyr's flash map as the SDK's storage.
#pragma once

#include <cstdint>

#include "skep/platform.h"

struct flash_area;

namespace skep::port_zephyr {

/// Raw flash: no file system, no NVS. The SDK's own log makes changes atomic and levels the wear.
/// Not thread-safe; nobody else writes to the partition.
class FlashMapStorage final : public Storage {
 public:
  FlashMapStorage() = default;
  ~FlashMapStorage();
  FlashMapStorage(const FlashMapStorage&) = delete;
  FlashMapStorage& operator=(const FlashMapStorage&) = delete;

  /// `partition_id` is PARTITION_ID()'s or FIXED_PARTITION_ID()'s. Once, before any other call.
  ///
  /// Errors: kNotFound if there is no such partition or its driver is not ready; kUnsupported if
  /// erased flash does not read as 0xFF, or the erase units differ in size, are no power of two or
  /// do not divide the partition; kStorageFailed if the driver cannot tell.
  Status open(std::uint8_t partition_id);

  /// All zero before open().
  [[nodiscard]] FlashGeometry geometry() const override { return geometry_; }
  Status read(std::uint32_t offset, MutableBytes out) override;
  Status program(std::uint32_t offset, Bytes data) override;
  Status erase(std::uint32_t offset, std::uint32_t length_bytes) override;

  /// Flash drivers return when the hardware is done.
  Status sync() override { return Status::kOk; }

 private:
  [[nodiscard]] Result<std::uint32_t> uniform_erase_unit() const;
  [[nodiscard]] bool is_inside(std::uint32_t offset, std::size_t length_bytes,
                               std::uint32_t unit) const;

  const flash_area* area_ = nullptr;
  FlashGeometry geometry_{};
};

}  // namespace skep::port_zephyr
