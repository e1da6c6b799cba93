#include "skep/model/pending_update.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "skep/core/crc32.h"
#include "skep/core/little_endian.h"
#include "skep/model/log_keys.h"

namespace skep::model {
namespace {

constexpr auto kKey = static_cast<std::uint8_t>(LogKey::kPendingUpdate);

// The log's record: format, three reserved bytes, round, base version, size, CRC-32.
constexpr std::uint8_t kRecordFormat = 1;
constexpr std::size_t kRecordBytes = 20;
constexpr std::size_t kMaxProgramUnit = 32;
constexpr std::size_t kChunkBytes = 64;  // read from flash at a time, on the stack

}  // namespace

Result<PendingUpdate::Record> PendingUpdate::read_record() {
  std::array<std::uint8_t, kRecordBytes> bytes{};
  const auto length = log_.get(kKey, bytes);
  if (length.status() == Status::kNoMemory) return Status::kMalformed;
  if (!length.ok()) return length.status();
  if (*length != bytes.size() || bytes[0] != kRecordFormat) return Status::kMalformed;
  const Record record{{load_u32(&bytes[4]), load_u32(&bytes[8]), load_u32(&bytes[12])},
                      load_u32(&bytes[16])};
  if (record.info.size_bytes == 0 || record.info.size_bytes > region_.size_bytes) {
    return Status::kMalformed;
  }
  return record;
}

Result<PendingInfo> PendingUpdate::info() {
  SKEP_ASSIGN_OR_RETURN(const Record record, read_record());
  return record.info;
}

Result<bool> PendingUpdate::erase_step(std::uint32_t size_bytes) {
  SKEP_TRY(check_can_store(size_bytes));
  if (erased_bytes_ >= size_bytes) return true;
  const std::uint32_t unit = storage_.geometry().erase_unit_bytes;
  SKEP_TRY(storage_.erase(region_.offset + erased_bytes_, unit));
  erased_bytes_ += unit;
  return erased_bytes_ >= size_bytes;
}

// What was found on flash must not be overwritten, even if it is not understood.
Status PendingUpdate::check_can_store(std::size_t size_bytes) {
  if (size_bytes == 0) return Status::kInvalidArgument;
  if (size_bytes > region_.size_bytes) return Status::kTooLarge;
  const Status found = read_record().status();
  if (found == Status::kNotFound) return Status::kOk;
  return found == Status::kStorageFailed || found == Status::kInvalidArgument ? found
                                                                              : Status::kBusy;
}

Status PendingUpdate::store(std::uint32_t round, std::uint32_t base_version, Bytes sealed) {
  SKEP_TRY(check_can_store(sealed.size()));
  const auto size_bytes = static_cast<std::uint32_t>(sealed.size());
  for (bool is_erased = false; !is_erased;) {
    SKEP_ASSIGN_OR_RETURN(is_erased, erase_step(size_bytes));
  }
  erased_bytes_ = 0;  // no longer: whatever happens, the next store() erases again
  SKEP_TRY(program(sealed));
  // The log's own sync must not be the one that makes the bytes durable: they could come in the
  // other order.
  SKEP_TRY(storage_.sync());
  const std::uint32_t crc = crc32(sealed);
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t stored, stored_crc(size_bytes));
  if (stored != crc) return Status::kStorageFailed;

  std::array<std::uint8_t, kRecordBytes> bytes{};
  bytes[0] = kRecordFormat;
  store_u32(&bytes[4], round);
  store_u32(&bytes[8], base_version);
  store_u32(&bytes[12], size_bytes);
  store_u32(&bytes[16], crc);
  return log_.put(kKey, bytes);
}

// Whole program units straight from `sealed`, then one that is filled up.
Status PendingUpdate::program(Bytes sealed) {
  const std::uint32_t unit = storage_.geometry().program_unit_bytes;
  const std::size_t whole = sealed.size() - sealed.size() % unit;
  if (whole != 0) SKEP_TRY(storage_.program(region_.offset, sealed.first(whole)));
  const Bytes rest = sealed.subspan(whole);
  if (rest.empty()) return Status::kOk;
  std::array<std::uint8_t, kMaxProgramUnit> last{};
  last.fill(0xFF);
  std::memcpy(last.data(), rest.data(), rest.size());
  return storage_.program(region_.offset + static_cast<std::uint32_t>(whole),
                          Bytes(last).first(unit));
}

Result<std::uint32_t> PendingUpdate::stored_crc(std::uint32_t size_bytes) {
  std::array<std::uint8_t, kChunkBytes> chunk{};
  std::uint32_t crc = 0;
  for (std::uint32_t done = 0; done < size_bytes;) {
    const auto part =
        MutableBytes(chunk).first(std::min<std::size_t>(chunk.size(), size_bytes - done));
    SKEP_TRY(storage_.read(region_.offset + done, part));
    crc = crc32(part, crc);
    done += static_cast<std::uint32_t>(part.size());
  }
  return crc;
}

Result<PendingInfo> PendingUpdate::load(MutableBytes out) {
  SKEP_ASSIGN_OR_RETURN(const Record record, read_record());
  if (out.size() < record.info.size_bytes) return Status::kNoMemory;
  const MutableBytes bytes = out.first(record.info.size_bytes);
  SKEP_TRY(storage_.read(region_.offset, bytes));
  if (crc32(bytes) != record.crc) return Status::kBadDigest;
  return record.info;
}

Result<FlashSource> PendingUpdate::source() {
  SKEP_ASSIGN_OR_RETURN(const Record record, read_record());
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t crc, stored_crc(record.info.size_bytes));
  if (crc != record.crc) return Status::kBadDigest;
  return FlashSource(storage_, region_.offset, record.info.size_bytes);
}

Status PendingUpdate::clear() { return log_.remove(kKey); }

}  // namespace skep::model
