// How often each erase unit of a flash was erased, kept on that flash.
#pragma once

#include <cstdint>
#include <span>

#include "skep/port_baremetal/raw_flash.h"
#include "skep/status.h"

namespace skep::port_baremetal {

/// Two banks at the end of the flash, used in turn. A bank holds a snapshot of all counts, and
/// after it one program unit for each erase since: so a count costs 4 or 8 bytes of programming.
/// The log erases a bank of its own at the first erase after each start, and then once in some
/// hundred: bytes are programmed only where they were erased since open(), and never twice.
/// (Format: wear_log.cc.)
///
/// An erase is counted before it happens. Loss of power may therefore count one that did not
/// happen, or lose the last few of the log's own units; other counts survive it. The counts are
/// for people and for the choice of a flash: nothing depends on them, so when the log's own units
/// wear out it falls silent and says so in is_complete().
///
/// No heap, stack < 200 B. Not thread-safe.
class WearLog {
 public:
  /// `flash` and `counts` outlive the object.
  WearLog(RawFlash& flash, std::span<std::uint32_t> counts) : flash_(flash), counts_(counts) {}
  WearLog(const WearLog&) = delete;
  WearLog& operator=(const WearLog&) = delete;

  /// Erase units at the end of a flash of this geometry that a log takes; 0 if it is not one that
  /// RawFlash allows, or too small.
  [[nodiscard]] static std::uint32_t units_for(const FlashGeometry& geometry);

  /// Reads the counts; writes nothing. A flash that never held a log has counts of 0.
  ///
  /// Errors: kInvalidArgument if units_for() is 0 or there is not one element of `counts` for
  /// each erase unit. Damage is no error: see is_complete().
  Status open();

  /// Counts an erase that is about to happen.
  void note_erase(std::uint32_t unit);

  /// One for each erase unit of the flash, the log's own (the last) included.
  [[nodiscard]] std::span<const std::uint32_t> counts() const { return counts_; }

  /// False once counts were lost: the true ones are then higher.
  [[nodiscard]] bool is_complete() const { return is_complete_; }

 private:
  struct Bank;

  [[nodiscard]] std::uint32_t bank_start(std::uint32_t bank) const;
  [[nodiscard]] std::uint32_t first_event() const;
  Bank look_at(std::uint32_t bank);
  bool load_snapshot(std::uint32_t bank);
  void replay_events();
  Status append(std::uint32_t unit);
  Status start_next_bank();
  Status write_snapshot(std::uint32_t start);
  Status program_checked(std::uint32_t offset, Bytes data);
  void fall_silent();

  RawFlash& flash_;
  std::span<std::uint32_t> counts_;
  FlashGeometry geometry_{};
  std::uint32_t bank_units_ = 0;
  std::uint32_t bank_ = 1;      // in use; the first one started is 0
  std::uint32_t sequence_ = 0;  // of that bank, 0 = there is none
  std::uint32_t end_ = 0;       // offset in it where the next event goes
  bool is_appendable_ = false;  // the bank was started since open()
  bool is_complete_ = true;
  bool is_silent_ = false;
};

}  // namespace skep::port_baremetal
