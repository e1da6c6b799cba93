// A NOR flash in memory that a test tears, blinds and wears out.
#pragma once

#include <array>
#include <cstdint>

#include "skep/port_baremetal/raw_flash.h"
#include "skep/status.h"

namespace skep::firmware_test {

/// What the operation in progress leaves behind when the power fails.
enum class Tear : std::uint8_t { kNothing, kPrefix, kRandomBits, kEverything };
inline constexpr std::uint32_t kTearCount = 4;

inline constexpr std::uint32_t kFlashBytes = 9 * 1024;
inline constexpr std::uint32_t kEraseUnitBytes = 1024;
inline constexpr std::uint32_t kFlashUnits = kFlashBytes / kEraseUnitBytes;

/// The cells, which may lie in memory that survives a reset. Plain data.
struct FlashCells {
  std::array<std::uint8_t, kFlashBytes> bytes;
  std::array<std::uint8_t, kFlashBytes / 4> touched;  ///< 1: programmed, or half erased.
};

/// Leaves cells as they come from the factory.
void make_blank(FlashCells& cells);

/// Counts its program and erase operations. A word that is programmed twice between two complete
/// erases, torn attempts included, is a violation.
class EmulatedFlash final : public port_baremetal::RawFlash {
 public:
  /// Called when the power fails, after the cells were torn; does not return.
  using PowerFails = void (*)();

  EmulatedFlash(FlashCells& cells, std::uint32_t program_unit_bytes)
      : cells_(cells), program_unit_bytes_(program_unit_bytes) {}

  /// Cuts the power in the n-th operation from now, 1 = the next; 0: never.
  void cut_at(std::uint32_t operation, Tear tear, PowerFails power_fails);

  /// From the n-th operation from now on none is carried out, and each says so; 0: all are.
  void fail_from(std::uint32_t operation);

  /// Reading any byte of [begin, end) fails.
  void make_unreadable(std::uint32_t begin, std::uint32_t end);

  [[nodiscard]] std::uint32_t operation_count() const { return operations_; }
  [[nodiscard]] std::uint32_t violation_count() const { return violations_; }

  [[nodiscard]] FlashGeometry geometry() const override;
  Status read(std::uint32_t offset, MutableBytes out) override;
  Status program(std::uint32_t offset, Bytes data) override;
  Status erase_unit(std::uint32_t offset) override;

 private:
  Status begin_operation();
  [[nodiscard]] bool is_cut() const { return cut_at_ != 0 && operations_ == cut_at_; }
  void change(std::uint32_t offset, std::uint32_t length, const std::uint8_t* target);

  FlashCells& cells_;
  std::uint32_t program_unit_bytes_;
  std::uint32_t operations_ = 0;
  std::uint32_t violations_ = 0;
  std::uint32_t cut_at_ = 0;
  Tear tear_ = Tear::kNothing;
  PowerFails power_fails_ = nullptr;
  std::uint32_t fail_from_ = 0;
  std::uint32_t unreadable_begin_ = 0;
  std::uint32_t unreadable_end_ = 0;
};

}  // namespace skep::firmware_test
