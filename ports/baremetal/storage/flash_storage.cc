#include "skep/port_baremetal/flash_storage.h"

#include <algorithm>
#include <array>

namespace skep::port_baremetal {
namespace {

constexpr std::size_t kChunkBytes = 64;  // read back at a time, on the stack

Status counted(Status status, std::uint32_t& errors) {
  if (status != Status::kOk) ++errors;
  return status;
}

}  // namespace

Status FlashStorage::open() {
  SKEP_TRY(wear_.open());
  const FlashGeometry whole = flash_.geometry();
  geometry_ = whole;
  geometry_.size_bytes -= WearLog::units_for(whole) * whole.erase_unit_bytes;
  return Status::kOk;
}

bool FlashStorage::is_inside(std::uint32_t offset, std::size_t length_bytes,
                             std::uint32_t unit) const {
  return offset % unit == 0 && length_bytes % unit == 0 && offset <= geometry_.size_bytes &&
         length_bytes <= geometry_.size_bytes - offset;
}

Status FlashStorage::read(std::uint32_t offset, MutableBytes out) {
  if (!is_inside(offset, out.size(), 1)) return Status::kInvalidArgument;
  return counted(flash_.read(offset, out), read_errors_);
}

Status FlashStorage::program(std::uint32_t offset, Bytes data) {
  if (!is_inside(offset, data.size(), geometry_.program_unit_bytes)) {
    return Status::kInvalidArgument;
  }
  return counted(flash_.program(offset, data), program_errors_);
}

Status FlashStorage::erase(std::uint32_t offset, std::uint32_t length_bytes) {
  const std::uint32_t unit = geometry_.erase_unit_bytes;
  if (!is_inside(offset, length_bytes, unit)) return Status::kInvalidArgument;
  for (std::uint32_t done = 0; done < length_bytes; done += unit) {
    SKEP_TRY(counted(erase_one(offset + done), erase_errors_));
  }
  return Status::kOk;
}

Status FlashStorage::erase_one(std::uint32_t offset) {
  wear_.note_erase(offset / geometry_.erase_unit_bytes);
  SKEP_TRY(flash_.erase_unit(offset));
  return check_erased(offset);
}

Status FlashStorage::check_erased(std::uint32_t offset) {
  std::array<std::uint8_t, kChunkBytes> chunk{};
  for (std::uint32_t done = 0; done < geometry_.erase_unit_bytes; done += kChunkBytes) {
    SKEP_TRY(flash_.read(offset + done, chunk));
    const bool is_erased =
        std::all_of(chunk.begin(), chunk.end(), [](std::uint8_t byte) { return byte == 0xFF; });
    if (!is_erased) return Status::kStorageFailed;
  }
  return Status::kOk;
}

Status FlashStorage::sync() {
  return geometry_.size_bytes == 0 ? Status::kStorageFailed : Status::kOk;
}

FlashHealth FlashStorage::health() const {
  const std::span<const std::uint32_t> counts = wear_.counts();
  FlashHealth health{UINT32_MAX,   0, 0, wear_.is_complete(), read_errors_, program_errors_,
                     erase_errors_};
  for (const std::uint32_t count : counts) {
    health.fewest_erases = std::min(health.fewest_erases, count);
    health.most_erases = std::max(health.most_erases, count);
    health.all_erases += count;
  }
  if (counts.empty()) health.fewest_erases = 0;
  return health;
}

}  // namespace skep::port_baremetal
