// skep::Storage on a board's flash: checked arguments, verified erases, counted wear.
#pragma once

#include <cstdint>
#include <span>

#include "skep/platform.h"
#include "skep/port_baremetal/raw_flash.h"
#include "skep/port_baremetal/wear_log.h"
#include "skep/status.h"

namespace skep::port_baremetal {

/// What a board can report about its flash. Errors are counted since the object was made.
struct FlashHealth {
  std::uint32_t fewest_erases;  ///< Of all erase units, the wear log's included.
  std::uint32_t most_erases;
  std::uint64_t all_erases;
  bool is_complete;  ///< False once counts were lost: see WearLog.
  std::uint32_t read_errors;
  std::uint32_t program_errors;
  std::uint32_t erase_errors;
};

/// The front of a RawFlash as Storage; the last WearLog::units_for() erase units are the wear
/// log's and not part of geometry(). No heap; 80 B and the counts; stack < 300 B. Not thread-safe.
///
/// An erase is read back, because not every controller reports a cell that stayed programmed. A
/// program operation is not: whoever programs checks (RecordLog by comparison, PendingUpdate by
/// CRC, ModelSlots by digest).
class FlashStorage final : public Storage {
 public:
  /// `erase_counts` has one element for each erase unit of `flash`; both outlive the object.
  FlashStorage(RawFlash& flash, std::span<std::uint32_t> erase_counts)
      : flash_(flash), wear_(flash, erase_counts) {}

  /// Reads the wear log; writes nothing. Before it geometry() has no byte.
  ///
  /// Errors: kInvalidArgument as WearLog::open().
  Status open();

  [[nodiscard]] FlashGeometry geometry() const override { return geometry_; }

  /// Errors of these: kInvalidArgument outside of geometry() or not aligned; kStorageFailed.
  Status read(std::uint32_t offset, MutableBytes out) override;
  Status program(std::uint32_t offset, Bytes data) override;
  Status erase(std::uint32_t offset, std::uint32_t length_bytes) override;

  /// Nothing is buffered: kOk, or kStorageFailed before open().
  Status sync() override;

  [[nodiscard]] FlashHealth health() const;
  [[nodiscard]] std::span<const std::uint32_t> erase_counts() const { return wear_.counts(); }

 private:
  [[nodiscard]] bool is_inside(std::uint32_t offset, std::size_t length_bytes,
                               std::uint32_t unit) const;
  Status erase_one(std::uint32_t offset);
  Status check_erased(std::uint32_t offset);

  RawFlash& flash_;
  WearLog wear_;
  FlashGeometry geometry_{0, 1, 1};
  std::uint32_t read_errors_ = 0;
  std::uint32_t program_errors_ = 0;
  std::uint32_t erase_errors_ = 0;
};

}  // namespace skep::port_baremetal
