#include "flash_area.h"

#include <algorithm>
#include <array>

#include "board_map.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::size_t kLongestPath = 255;

[[gnu::section(".flash_area")]] std::array<std::uint8_t, FlashArea::kSizeBytes> cells;

}  // namespace

Status FlashArea::open_file(std::string_view path) {
  file_ = semihosting::File(path, semihosting::Mode::kReadWrite);
  if (!file_.is_open() || file_.size_bytes() != static_cast<std::int32_t>(kSizeBytes)) {
    return Status::kStorageFailed;
  }
  return file_.read(cells) ? Status::kOk : Status::kStorageFailed;
}

FlashGeometry FlashArea::geometry() const {
  return {.size_bytes = kSizeBytes,
          .erase_unit_bytes = kEraseBytes,
          .program_unit_bytes = kFlashProgramBytes};
}

Status FlashArea::read(std::uint32_t offset, MutableBytes out) {
  std::copy_n(cells.begin() + offset, out.size(), out.begin());
  return Status::kOk;
}

Status FlashArea::program(std::uint32_t offset, Bytes data) {
  std::transform(
      data.begin(), data.end(), cells.begin() + offset, cells.begin() + offset,
      [](std::uint8_t bits, std::uint8_t cell) { return static_cast<std::uint8_t>(bits & cell); });
  return write_through(offset, data.size());
}

Status FlashArea::erase_unit(std::uint32_t offset) {
  std::fill_n(cells.begin() + offset, kEraseBytes, std::uint8_t{0xFF});
  return write_through(offset, kEraseBytes);
}

Status FlashArea::write_through(std::uint32_t offset, std::uint32_t length_bytes) {
  if (!file_.is_open()) return Status::kOk;
  const Bytes changed = Bytes(cells).subspan(offset, length_bytes);
  return file_.seek(offset) && file_.write(changed) ? Status::kOk : Status::kStorageFailed;
}

// With the argument flash=<path> the flash is that file; without it, what the SRAM holds.
Result<port_baremetal::RawFlash*> flash() {
  static FlashArea area;
  static bool is_open = false;
  if (!is_open) {
    std::array<char, kLongestPath + 1> buffer;
    const std::string_view path = semihosting::argument("flash", buffer);
    if (!path.empty()) SKEP_TRY(area.open_file(path));
    is_open = true;
  }
  return &area;
}

}  // namespace skep::board
