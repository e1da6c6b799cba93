// A few small values that survive a loss of power at any instant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep {

/// The part of a Storage that a RecordLog owns: `bank_count` banks of `bank_bytes` each.
struct LogRegion {
  std::uint32_t offset;      ///< A multiple of the erase unit.
  std::uint32_t bank_bytes;  ///< A multiple of the erase unit, at least RecordLog::kMinBankBytes.
  std::uint32_t bank_count;  ///< At least 2. More banks spread the wear: they are used in turn.
};

/// A key/value store on flash whose every change is atomic. (The ideas are those of littlefs's
/// metadata pairs and of MCUboot's image trailers; the format is our own, see record_format.h.)
///
/// Records are appended to the current bank and the newest of a key wins. When the bank is full
/// the live records are copied to the next bank in turn, whose header, written last, makes it the
/// current one. What holds, whatever instant the power fails at, torn and marginal ("weak")
/// program and erase operations included:
///
///  - A put() or remove() that returned kOk stays done; one that was interrupted is found either
///    done or not begun, and the first open() that says "done" is right for ever.
///  - All other keys keep their values.
///
/// To hold this against cells that read as erased but are not, bytes are programmed only in banks
/// that were erased since open(), and never twice. So the first change after each start erases
/// one bank; open() itself writes only if the power failed during a change.
///
/// No heap; sizeof(RecordLog) < 600 B; stack < 1 KB. Not thread-safe.
class RecordLog {
 public:
  static constexpr std::uint32_t kKeyCount = 16;  ///< Keys are 0 … kKeyCount − 1.
  static constexpr std::uint32_t kMaxPayloadBytes = 256;
  static constexpr std::uint32_t kMinBankBytes = 512;

  /// `storage` outlives the log.
  explicit RecordLog(Storage& storage) : storage_(storage) {}
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;

  /// Finds the newest state in the region and, if a change was interrupted, settles it. Storage
  /// that never held a log is an empty log. Reads each bank about twice.
  ///
  /// Errors: kInvalidArgument if the region does not fit the geometry; kUnsupportedVersion if a
  /// later version of this code wrote the log (nothing is changed); kStorageFailed.
  Status open(const LogRegion& region);

  /// Copies the value of `key` to `out` and returns its length in bytes.
  ///
  /// Errors: kInvalidArgument for a key that does not exist, or before open(); kNotFound if it
  /// has no value; kNoMemory if `out` is too small (`out` is unchanged); kStorageFailed if the
  /// medium failed or the record no longer matches its CRC (`out` is unspecified).
  [[nodiscard]] Result<std::size_t> get(std::uint8_t key, MutableBytes out);

  /// Sets the value of `key`. Returns after Storage::sync(): what is acknowledged is durable.
  ///
  /// Errors: kInvalidArgument for a key that does not exist, or before open(); kTooLarge for more
  /// than kMaxPayloadBytes; kStorageFailed if the medium failed (get() still gives the old value;
  /// after a reset it may be the new one), or if the live records do not fit into one bank
  /// (nothing was written).
  Status put(std::uint8_t key, Bytes payload);

  /// Forgets the value of `key`; kOk as well if it had none.
  ///
  /// Errors: as put().
  Status remove(std::uint8_t key);

 private:
  // Frame of the largest record: header, payload and confirmation at 32 B program units.
  static constexpr std::uint32_t kMaxFrameBytes = 320;

  struct Entry {
    std::uint16_t payload_bytes = 0;
    std::uint32_t offset = 0;  // in the current bank; 0 = no value
  };
  using Index = std::array<Entry, kKeyCount>;

  struct Change {
    std::uint8_t key;
    bool removes;
    Bytes payload;
  };

  // What is known of a bank; `intact` says that its batch matches the header's CRC.
  struct Bank {
    bool blank = false;  // the header's bytes are erased
    bool valid = false;  // the header is one
    bool intact = false;
    bool decided = false;
    bool settled = false;
    std::uint32_t number = 0;
    std::uint32_t sequence = 0;
    std::uint32_t batch_end = 0;
  };

  // What a walk over a bank's records found.
  struct Walk {
    Index index{};
    std::uint32_t end = 0;            // offset after the last confirmed record
    std::uint32_t next_sequence = 0;  // after the last confirmed record
    std::uint32_t reach = 0;          // as next_sequence, but the doubtful record counts
    bool clean = false;               // after `end` follows nothing but erased bytes
    bool has_doubtful = false;        // a valid record without confirmation is in buffer_
  };

  // Opening.
  [[nodiscard]] bool is_region_valid(const LogRegion& region) const;
  [[nodiscard]] Result<Bank> look_at(std::uint32_t number);
  [[nodiscard]] Result<Bank> choose_bank();
  [[nodiscard]] Result<Walk> walk(const Bank& bank);
  [[nodiscard]] Result<bool> has_leftover_after(const Bank& bank);
  Status settle(const Walk& found);

  // Changing.
  Status change(const Change& change);
  Status append(const Change& change);
  Status move_to_next_bank(const Change* change);
  [[nodiscard]] bool fits_one_bank(const Change* change) const;
  Status copy_live_records(std::uint32_t target, const Change* change, Walk& written,
                           std::uint32_t& batch_crc);
  Status write_batch_frame(std::uint32_t target, std::uint8_t key, std::uint16_t payload_bytes,
                           Walk& written, std::uint32_t& batch_crc);
  Status finish_bank(std::uint32_t target, std::uint32_t sequence, std::uint32_t batch_end,
                     std::uint32_t batch_crc);

  // Records, which pass through buffer_.
  void encode_frame(const Change& change, std::uint32_t sequence);
  [[nodiscard]] Result<bool> load_payload(std::uint32_t offset, std::uint16_t payload_bytes,
                                          std::uint32_t payload_crc);
  Status load_live_record(std::uint8_t key);
  [[nodiscard]] std::uint32_t record_bytes(std::uint32_t payload_bytes) const;
  [[nodiscard]] std::uint32_t confirmation_bytes() const;
  [[nodiscard]] std::uint32_t frame_bytes(std::uint32_t payload_bytes) const;

  // Flash.
  [[nodiscard]] std::uint32_t start_of(std::uint32_t bank) const;
  Status program_verified(std::uint32_t offset, Bytes data);
  Status program_mark(std::uint32_t offset, std::uint32_t length);
  [[nodiscard]] Result<bool> is_filled_with(std::uint8_t value, std::uint32_t offset,
                                            std::uint32_t length);
  [[nodiscard]] Result<std::uint32_t> stored_crc(std::uint32_t offset, std::uint32_t length);

  Storage& storage_;
  LogRegion region_{};
  std::uint32_t program_unit_ = 0;
  std::uint32_t bank_ = 0;           // the current one
  std::uint32_t end_ = 0;            // offset in it after the last record
  std::uint32_t next_sequence_ = 0;  // of the next record
  bool open_ = false;
  bool has_bank_ = false;    // false: no bank was ever written
  bool appendable_ = false;  // the bank was made since open() and every write since succeeded
  Index index_{};
  std::array<std::uint8_t, kMaxFrameBytes> buffer_{};
};

}  // namespace skep
