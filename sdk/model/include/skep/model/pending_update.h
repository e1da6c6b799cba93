// The sealed update that waits on flash until the gateway has acknowledged it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/core/record_log.h"
#include "skep/model/flash_source.h"
#include "skep/model/storage_layout.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::model {

/// What is stored, without its bytes.
struct PendingInfo {
  std::uint32_t round;
  std::uint32_t base_version;
  std::uint32_t size_bytes;
};

/// At most one update. After store() returned kOk a reset at any instant finds it intact; after
/// clear() returned kOk none finds it; between, it is one or the other, never something else.
///
/// The bytes are programmed and synced first, then one record in the log, which has their CRC-32,
/// makes them exist. No heap; 40 B; stack < 200 B. Not thread-safe.
class PendingUpdate {
 public:
  /// References outlive this object; `log` is open before any call.
  PendingUpdate(Storage& storage, RecordLog& log, const FlashRegion& region)
      : storage_(storage), log_(log), region_(region) {}
  PendingUpdate(const PendingUpdate&) = delete;
  PendingUpdate& operator=(const PendingUpdate&) = delete;

  /// What is stored. Does not check the bytes: load() and source() do.
  ///
  /// Errors: kNotFound; kMalformed if the log's record is not one of ours; kStorageFailed.
  [[nodiscard]] Result<PendingInfo> info();

  /// Erases one more of the erase units that an update of `size_bytes` needs, true when all are
  /// erased: lets the caller spread store()'s longest part over several polls. Optional.
  ///
  /// Errors: as store().
  [[nodiscard]] Result<bool> erase_step(std::uint32_t size_bytes);

  /// Stores an update; erases first what erase_step() has not. Returns after Storage::sync().
  ///
  /// Errors: kInvalidArgument if `sealed` is empty; kTooLarge if it exceeds the region; kBusy if
  /// one is stored already, which is unchanged: clear() is a decision of its own; kStorageFailed
  /// (none is stored; after a reset this one may be).
  Status store(std::uint32_t round, std::uint32_t base_version, Bytes sealed);

  /// Copies the stored bytes to the start of `out`.
  ///
  /// Errors: as info(); kNoMemory if `out` is too small (unchanged); kBadDigest if the bytes no
  /// longer match their CRC: then clear() is all that is left. `out` is then unspecified.
  [[nodiscard]] Result<PendingInfo> load(MutableBytes out);

  /// The stored bytes in place, CRC-checked now: an upload needs no copy in RAM. Valid until
  /// clear().
  ///
  /// Errors: as load(), but for kNoMemory.
  [[nodiscard]] Result<FlashSource> source();

  /// Forgets the update; kOk as well if there is none.
  ///
  /// Errors: kStorageFailed (it is still stored).
  Status clear();

 private:
  struct Record {
    PendingInfo info;
    std::uint32_t crc;
  };

  [[nodiscard]] Result<Record> read_record();
  Status check_can_store(std::size_t size_bytes);
  Status program(Bytes sealed);
  Result<std::uint32_t> stored_crc(std::uint32_t size_bytes);

  Storage& storage_;
  RecordLog& log_;
  FlashRegion region_;
  std::uint32_t erased_bytes_ = 0;  // from the region's start, since this object exists
};

}  // namespace skep::model
