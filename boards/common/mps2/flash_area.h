// The flash of an emulated board: SRAM that behaves like a NOR flash, kept over a reset.
#pragma once

#include <cstdint>
#include <string_view>

#include "semihosting.h"
#include "skep/port_baremetal/raw_flash.h"

namespace skep::board {

/// Programming clears bits, erasing sets the 4 KB of a unit to 0xFF. With open_file() each change
/// is also written to a file of the host before the call returns: the emulator may be killed at
/// any instant, which is the board's loss of power.
class FlashArea final : public port_baremetal::RawFlash {
 public:
  static constexpr std::uint32_t kSizeBytes = 512 * 1024;
  static constexpr std::uint32_t kEraseBytes = 4096;

  /// Loads the whole flash from the file, which has exactly kSizeBytes.
  /// Errors: kStorageFailed.
  Status open_file(std::string_view path);

  [[nodiscard]] FlashGeometry geometry() const override;
  Status read(std::uint32_t offset, MutableBytes out) override;
  Status program(std::uint32_t offset, Bytes data) override;
  Status erase_unit(std::uint32_t offset) override;

 private:
  Status write_through(std::uint32_t offset, std::uint32_t length_bytes);

  semihosting::File file_;
};

}  // namespace skep::board
