#include "skep/port_zephyr/flash_map_storage.h"

#include <zephyr/device.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/storage/flash_map.h>

#include <bit>

namespace skep::port_zephyr {
namespace {

constexpr std::uint8_t kErased = 0xFF;

}  // namespace

FlashMapStorage::~FlashMapStorage() {
  if (area_ != nullptr) flash_area_close(area_);
}

Status FlashMapStorage::open(std::uint8_t partition_id) {
  if (area_ != nullptr) return Status::kInvalidArgument;
  const flash_area* area = nullptr;
  if (flash_area_open(partition_id, &area) != 0) return Status::kNotFound;
  area_ = area;
  if (!device_is_ready(flash_area_get_device(area_))) return Status::kNotFound;
  if (flash_area_erased_val(area_) != kErased) return Status::kUnsupported;

  SKEP_ASSIGN_OR_RETURN(const std::uint32_t erase_unit, uniform_erase_unit());
  const std::uint32_t program_unit = flash_area_align(area_);
  const auto size = static_cast<std::uint32_t>(area_->fa_size);
  if (!std::has_single_bit(program_unit) || size == 0 || size % erase_unit != 0) {
    return Status::kUnsupported;
  }
  geometry_ = {
      .size_bytes = size, .erase_unit_bytes = erase_unit, .program_unit_bytes = program_unit};
  return Status::kOk;
}

Result<std::uint32_t> FlashMapStorage::uniform_erase_unit() const {
  const device* const driver = flash_area_get_device(area_);
  std::uint32_t unit = 0;
  for (std::uint32_t offset = 0; offset < area_->fa_size; offset += unit) {
    flash_pages_info page{};
    const auto at = static_cast<off_t>(area_->fa_off) + static_cast<off_t>(offset);
    if (flash_get_page_info_by_offs(driver, at, &page) != 0) return Status::kStorageFailed;
    const auto size = static_cast<std::uint32_t>(page.size);
    const bool begins_here = page.start_offset == at;
    if (!begins_here || !std::has_single_bit(size) || (unit != 0 && size != unit)) {
      return Status::kUnsupported;
    }
    unit = size;
  }
  if (unit == 0) return Status::kUnsupported;
  return unit;
}

bool FlashMapStorage::is_inside(std::uint32_t offset, std::size_t length_bytes,
                                std::uint32_t unit) const {
  return area_ != nullptr && unit != 0 && offset <= geometry_.size_bytes &&
         length_bytes <= geometry_.size_bytes - offset && offset % unit == 0 &&
         length_bytes % unit == 0;
}

Status FlashMapStorage::read(std::uint32_t offset, MutableBytes out) {
  if (!is_inside(offset, out.size(), 1)) return Status::kInvalidArgument;
  if (out.empty()) return Status::kOk;
  return flash_area_read(area_, static_cast<off_t>(offset), out.data(), out.size()) == 0
             ? Status::kOk
             : Status::kStorageFailed;
}

Status FlashMapStorage::program(std::uint32_t offset, Bytes data) {
  if (!is_inside(offset, data.size(), geometry_.program_unit_bytes)) {
    return Status::kInvalidArgument;
  }
  if (data.empty()) return Status::kOk;
  return flash_area_write(area_, static_cast<off_t>(offset), data.data(), data.size()) == 0
             ? Status::kOk
             : Status::kStorageFailed;
}

Status FlashMapStorage::erase(std::uint32_t offset, std::uint32_t length_bytes) {
  if (!is_inside(offset, length_bytes, geometry_.erase_unit_bytes)) {
    return Status::kInvalidArgument;
  }
  if (length_bytes == 0) return Status::kOk;
  return flash_area_erase(area_, static_cast<off_t>(offset), length_bytes) == 0
             ? Status::kOk
             : Status::kStorageFailed;
}

}  // namespace skep::port_zephyr
