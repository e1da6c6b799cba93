#include "skep/core/record_log.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "record_format.h"
#include "skep/core/crc32.h"

namespace skep {

namespace format = record_format;

namespace {

constexpr std::uint32_t kMaxProgramUnit = 32;
constexpr std::size_t kChunkBytes = 32;  // read from flash at a time, on the stack

std::uint32_t round_up(std::uint32_t size, std::uint32_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

// ---- Opening

Status RecordLog::open(const LogRegion& region) {
  open_ = false;
  has_bank_ = false;
  appendable_ = false;
  index_ = {};
  next_sequence_ = 1;
  if (!is_region_valid(region)) return Status::kInvalidArgument;
  region_ = region;
  program_unit_ = storage_.geometry().program_unit_bytes;

  SKEP_ASSIGN_OR_RETURN(const Bank bank, choose_bank());
  if (bank.valid) {
    SKEP_ASSIGN_OR_RETURN(const bool has_leftover, has_leftover_after(bank));
    // The walk comes last: it leaves a doubtful record in the buffer for settle().
    SKEP_ASSIGN_OR_RETURN(const Walk found, walk(bank));
    has_bank_ = true;
    bank_ = bank.number;
    index_ = found.index;
    end_ = found.end;
    next_sequence_ = found.next_sequence;
    if (!bank.settled || has_leftover || !found.clean) SKEP_TRY(settle(found));
  }
  open_ = true;
  return Status::kOk;
}

bool RecordLog::is_region_valid(const LogRegion& region) const {
  const FlashGeometry geometry = storage_.geometry();
  const std::uint32_t unit = geometry.erase_unit_bytes;
  if (unit == 0 || region.offset % unit != 0 || region.bank_bytes % unit != 0) return false;
  if (!std::has_single_bit(geometry.program_unit_bytes) ||
      geometry.program_unit_bytes > kMaxProgramUnit) {
    return false;
  }
  if (region.bank_bytes < kMinBankBytes || region.bank_count < 2) return false;
  return region.offset <= geometry.size_bytes &&
         region.bank_count <= (geometry.size_bytes - region.offset) / region.bank_bytes;
}

Result<RecordLog::Bank> RecordLog::look_at(std::uint32_t number) {
  Bank bank;
  bank.number = number;
  std::array<std::uint8_t, format::kBankHeaderBytes> bytes{};
  SKEP_TRY(storage_.read(start_of(number), bytes));
  bank.blank = std::all_of(bytes.begin(), bytes.end(),
                           [](std::uint8_t byte) { return byte == format::kErasedByte; });
  const auto header = format::decode_bank_header(bytes);
  if (!header.has_value()) return bank;
  if (header->version != format::kFormatVersion || header->program_unit != program_unit_) {
    return Status::kUnsupportedVersion;
  }
  if (header->batch_end < format::kFirstRecordOffset || header->batch_end > region_.bank_bytes) {
    return bank;
  }
  bank.valid = true;
  bank.sequence = header->sequence;
  bank.batch_end = header->batch_end;
  const std::uint32_t start = start_of(number);
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t crc,
                        stored_crc(start + format::kFirstRecordOffset,
                                   header->batch_end - format::kFirstRecordOffset));
  bank.intact = crc == header->batch_crc;
  SKEP_ASSIGN_OR_RETURN(
      bank.decided,
      is_filled_with(format::kMarkByte, start + format::kDecisionOffset, format::kBankMarkBytes));
  SKEP_ASSIGN_OR_RETURN(
      bank.settled,
      is_filled_with(format::kMarkByte, start + format::kSettlementOffset, format::kBankMarkBytes));
  return bank;
}

// The newest intact bank is the current one, with one exception. While it is undecided, its
// header may be weak; then the bank that it was copied from is as good, and solid. That one is
// known to be whole if its records reach to the newer bank's sequence number: if they do not, it
// is being erased, which only begins after the decision.
Result<RecordLog::Bank> RecordLog::choose_bank() {
  Bank newest;
  Bank before;
  Bank damaged;  // the last resort: worn flash
  for (std::uint32_t number = 0; number < region_.bank_count; ++number) {
    SKEP_ASSIGN_OR_RETURN(const Bank bank, look_at(number));
    if (!bank.valid) continue;
    if (!bank.intact) {
      if (!damaged.valid || bank.sequence > damaged.sequence) damaged = bank;
    } else if (!newest.valid || bank.sequence > newest.sequence) {
      before = newest;
      newest = bank;
    } else if (!before.valid || bank.sequence > before.sequence) {
      before = bank;
    }
  }
  if (!newest.valid) return damaged;
  if (newest.decided || !before.valid) return newest;
  SKEP_ASSIGN_OR_RETURN(const Walk found, walk(before));
  return found.reach >= newest.sequence ? before : newest;
}

Result<RecordLog::Walk> RecordLog::walk(const Bank& bank) {
  Walk found;
  found.end = format::kFirstRecordOffset;
  found.next_sequence = bank.sequence + 1;
  found.reach = found.next_sequence;
  const std::uint32_t start = start_of(bank.number);
  while (region_.bank_bytes - found.end >= format::kRecordHeaderBytes) {
    SKEP_TRY(
        storage_.read(start + found.end, MutableBytes(buffer_).first(format::kRecordHeaderBytes)));
    const auto header = format::decode_record_header(buffer_);
    if (!header.has_value() || header->sequence != found.next_sequence ||
        frame_bytes(header->payload_bytes) > region_.bank_bytes - found.end) {
      break;
    }
    SKEP_ASSIGN_OR_RETURN(
        const bool is_valid,
        load_payload(start + found.end, header->payload_bytes, header->payload_crc));
    SKEP_ASSIGN_OR_RETURN(
        const bool is_confirmed,
        is_filled_with(format::kMarkByte, start + found.end + record_bytes(header->payload_bytes),
                       confirmation_bytes()));
    if (!is_confirmed && found.end >= bank.batch_end) {
      found.has_doubtful = is_valid;
      found.reach += is_valid ? 1 : 0;
      return found;
    }
    if (is_valid) {
      const bool is_put = header->kind == format::RecordKind::kPut;
      found.index[header->key] = is_put ? Entry{header->payload_bytes, found.end} : Entry{};
    }
    found.end += frame_bytes(header->payload_bytes);
    found.reach = ++found.next_sequence;
  }
  const std::uint32_t rest = std::min(kMaxFrameBytes, region_.bank_bytes - found.end);
  SKEP_ASSIGN_OR_RETURN(found.clean, is_filled_with(format::kErasedByte, start + found.end, rest));
  return found;
}

// True if the next bank in turn holds, or held, the result of an interrupted move: something
// that might be taken for a newer bank one day.
Result<bool> RecordLog::has_leftover_after(const Bank& bank) {
  SKEP_ASSIGN_OR_RETURN(const Bank next, look_at((bank.number + 1) % region_.bank_count));
  if (next.valid) return next.sequence > bank.sequence;
  return !next.blank;
}

// Writes the current state anew, so that nothing that is weak is relied on.
Status RecordLog::settle(const Walk& found) {
  if (!found.has_doubtful) return move_to_next_bank(nullptr);
  const auto header = format::decode_record_header(buffer_);
  if (!header.has_value()) return Status::kInternal;
  const Change change{header->key, header->kind == format::RecordKind::kRemove,
                      Bytes(buffer_).subspan(format::kRecordHeaderBytes, header->payload_bytes)};
  return move_to_next_bank(&change);
}

// ---- Reading and changing

Result<std::size_t> RecordLog::get(std::uint8_t key, MutableBytes out) {
  if (!open_ || key >= kKeyCount) return Status::kInvalidArgument;
  const Entry& entry = index_[key];
  if (entry.offset == 0) return Status::kNotFound;
  if (out.size() < entry.payload_bytes) return Status::kNoMemory;
  SKEP_TRY(load_live_record(key));
  if (entry.payload_bytes != 0) {
    std::memcpy(out.data(), &buffer_[format::kRecordHeaderBytes], entry.payload_bytes);
  }
  return std::size_t{entry.payload_bytes};
}

Status RecordLog::put(std::uint8_t key, Bytes payload) {
  if (!open_ || key >= kKeyCount) return Status::kInvalidArgument;
  if (payload.size() > kMaxPayloadBytes) return Status::kTooLarge;
  return change({key, false, payload});
}

Status RecordLog::remove(std::uint8_t key) {
  if (!open_ || key >= kKeyCount) return Status::kInvalidArgument;
  if (index_[key].offset == 0) return Status::kOk;
  return change({key, true, {}});
}

Status RecordLog::change(const Change& change) {
  const auto payload_bytes = static_cast<std::uint32_t>(change.payload.size());
  if (appendable_ && frame_bytes(payload_bytes) <= region_.bank_bytes - end_) {
    return append(change);
  }
  return move_to_next_bank(&change);
}

Status RecordLog::append(const Change& change) {
  appendable_ = false;  // until everything below has succeeded
  encode_frame(change, next_sequence_);
  const auto payload_bytes = static_cast<std::uint16_t>(change.payload.size());
  const std::uint32_t length = record_bytes(payload_bytes);
  const std::uint32_t start = start_of(bank_) + end_;
  SKEP_TRY(program_verified(start, Bytes(buffer_).first(length)));
  SKEP_TRY(storage_.sync());
  // Needs no sync of its own: a record without its confirmation counts, it is only written again.
  SKEP_TRY(program_mark(start + length, confirmation_bytes()));
  index_[change.key] = change.removes ? Entry{} : Entry{payload_bytes, end_};
  end_ += frame_bytes(payload_bytes);
  ++next_sequence_;
  appendable_ = true;
  return Status::kOk;
}

// Copies the live records, with `change` applied (null: none), to the next bank in turn.
// `change->payload` may lie in buffer_.
Status RecordLog::move_to_next_bank(const Change* change) {
  if (!fits_one_bank(change)) return Status::kStorageFailed;
  appendable_ = false;  // also afterwards, if this fails: the other bank may be the newer one
  const std::uint32_t target = has_bank_ ? (bank_ + 1) % region_.bank_count : 0;
  SKEP_TRY(storage_.erase(start_of(target), region_.bank_bytes));

  Walk written;
  written.end = format::kFirstRecordOffset;
  written.next_sequence = next_sequence_ + 1;
  std::uint32_t batch_crc = 0;
  SKEP_TRY(copy_live_records(target, change, written, batch_crc));
  SKEP_TRY(finish_bank(target, next_sequence_, written.end, batch_crc));

  bank_ = target;
  has_bank_ = true;
  index_ = written.index;
  end_ = written.end;
  next_sequence_ = written.next_sequence;
  appendable_ = true;
  return Status::kOk;
}

bool RecordLog::fits_one_bank(const Change* change) const {
  std::uint32_t needed = format::kFirstRecordOffset;
  for (std::uint8_t key = 0; key < kKeyCount; ++key) {
    if (change != nullptr && change->key == key) continue;
    if (index_[key].offset != 0) needed += frame_bytes(index_[key].payload_bytes);
  }
  if (change != nullptr && !change->removes) {
    needed += frame_bytes(static_cast<std::uint32_t>(change->payload.size()));
  }
  return needed <= region_.bank_bytes;
}

Status RecordLog::copy_live_records(std::uint32_t target, const Change* change, Walk& written,
                                    std::uint32_t& batch_crc) {
  // The change goes first: its payload may be what the buffer holds.
  if (change != nullptr && !change->removes) {
    encode_frame(*change, written.next_sequence);
    SKEP_TRY(write_batch_frame(target, change->key,
                               static_cast<std::uint16_t>(change->payload.size()), written,
                               batch_crc));
  }
  for (std::uint8_t key = 0; key < kKeyCount; ++key) {
    const Entry& entry = index_[key];
    if (entry.offset == 0 || (change != nullptr && change->key == key)) continue;
    SKEP_TRY(load_live_record(key));
    encode_frame(
        {key, false, Bytes(buffer_).subspan(format::kRecordHeaderBytes, entry.payload_bytes)},
        written.next_sequence);
    SKEP_TRY(write_batch_frame(target, key, entry.payload_bytes, written, batch_crc));
  }
  return Status::kOk;
}

Status RecordLog::write_batch_frame(std::uint32_t target, std::uint8_t key,
                                    std::uint16_t payload_bytes, Walk& written,
                                    std::uint32_t& batch_crc) {
  const Bytes frame = Bytes(buffer_).first(frame_bytes(payload_bytes));
  SKEP_TRY(program_verified(start_of(target) + written.end, frame));
  batch_crc = crc32(frame, batch_crc);
  written.index[key] = {payload_bytes, written.end};
  written.end += static_cast<std::uint32_t>(frame.size());
  ++written.next_sequence;
  return Status::kOk;
}

// Header, decision, settlement: see record_format.h.
Status RecordLog::finish_bank(std::uint32_t target, std::uint32_t sequence, std::uint32_t batch_end,
                              std::uint32_t batch_crc) {
  const std::uint32_t start = start_of(target);
  SKEP_TRY(storage_.sync());
  std::array<std::uint8_t, format::kBankHeaderBytes> header{};
  format::encode({format::kFormatVersion, static_cast<std::uint8_t>(program_unit_), sequence,
                  batch_end, batch_crc},
                 header);
  SKEP_TRY(program_verified(start, header));
  SKEP_TRY(storage_.sync());
  SKEP_TRY(program_mark(start + format::kDecisionOffset, format::kBankMarkBytes));
  SKEP_TRY(storage_.sync());
  // Needs no sync of its own: a bank that is not settled is only written again.
  return program_mark(start + format::kSettlementOffset, format::kBankMarkBytes);
}

// ---- Records

// Fills buffer_ with the whole frame. The payload may lie in it already.
void RecordLog::encode_frame(const Change& change, std::uint32_t sequence) {
  const auto payload_bytes = static_cast<std::uint16_t>(change.payload.size());
  const std::uint32_t crc = crc32(change.payload);
  std::uint8_t* const payload = buffer_.data() + format::kRecordHeaderBytes;
  if (payload_bytes != 0) std::memmove(payload, change.payload.data(), payload_bytes);
  const auto kind = change.removes ? format::RecordKind::kRemove : format::RecordKind::kPut;
  format::encode({change.key, kind, payload_bytes, sequence, crc}, buffer_);
  std::uint8_t* const confirmation = buffer_.data() + record_bytes(payload_bytes);
  std::fill(payload + payload_bytes, confirmation, format::kErasedByte);
  std::fill_n(confirmation, confirmation_bytes(), format::kMarkByte);
}

// Reads the payload of the record at `offset` into the buffer, behind its header; true if it
// matches `payload_crc`.
Result<bool> RecordLog::load_payload(std::uint32_t offset, std::uint16_t payload_bytes,
                                     std::uint32_t payload_crc) {
  const MutableBytes payload =
      MutableBytes(buffer_).subspan(format::kRecordHeaderBytes, payload_bytes);
  if (!payload.empty()) SKEP_TRY(storage_.read(offset + format::kRecordHeaderBytes, payload));
  return crc32(payload) == payload_crc;
}

// Reads the record that the index names and checks it again: flash may have worn since open().
Status RecordLog::load_live_record(std::uint8_t key) {
  const Entry& entry = index_[key];
  const std::uint32_t offset = start_of(bank_) + entry.offset;
  SKEP_TRY(storage_.read(offset, MutableBytes(buffer_).first(format::kRecordHeaderBytes)));
  const auto header = format::decode_record_header(buffer_);
  if (!header.has_value() || header->key != key || header->payload_bytes != entry.payload_bytes) {
    return Status::kStorageFailed;
  }
  SKEP_ASSIGN_OR_RETURN(const bool is_valid,
                        load_payload(offset, header->payload_bytes, header->payload_crc));
  return is_valid ? Status::kOk : Status::kStorageFailed;
}

std::uint32_t RecordLog::record_bytes(std::uint32_t payload_bytes) const {
  return round_up(format::kRecordHeaderBytes + payload_bytes, program_unit_);
}

std::uint32_t RecordLog::confirmation_bytes() const {
  return round_up(format::kMinConfirmationBytes, program_unit_);
}

std::uint32_t RecordLog::frame_bytes(std::uint32_t payload_bytes) const {
  static_assert(kMaxFrameBytes >=
                (format::kRecordHeaderBytes + kMaxPayloadBytes + kMaxProgramUnit - 1) /
                        kMaxProgramUnit * kMaxProgramUnit +
                    kMaxProgramUnit);
  return record_bytes(payload_bytes) + confirmation_bytes();
}

// ---- Flash

std::uint32_t RecordLog::start_of(std::uint32_t bank) const {
  return region_.offset + bank * region_.bank_bytes;
}

// Flash drivers do not all report a cell that did not take its value.
Status RecordLog::program_verified(std::uint32_t offset, Bytes data) {
  SKEP_TRY(storage_.program(offset, data));
  std::array<std::uint8_t, kChunkBytes> stored{};
  for (std::size_t done = 0; done < data.size(); done += stored.size()) {
    const std::size_t length = std::min(stored.size(), data.size() - done);
    SKEP_TRY(storage_.read(offset + static_cast<std::uint32_t>(done),
                           MutableBytes(stored).first(length)));
    if (std::memcmp(stored.data(), data.data() + done, length) != 0) {
      return Status::kStorageFailed;
    }
  }
  return Status::kOk;
}

Status RecordLog::program_mark(std::uint32_t offset, std::uint32_t length) {
  std::array<std::uint8_t, kMaxProgramUnit> mark{};
  mark.fill(format::kMarkByte);
  return program_verified(offset, Bytes(mark).first(length));
}

Result<bool> RecordLog::is_filled_with(std::uint8_t value, std::uint32_t offset,
                                       std::uint32_t length) {
  std::array<std::uint8_t, kChunkBytes> stored{};
  for (std::uint32_t done = 0; done < length;) {
    const auto chunk =
        MutableBytes(stored).first(std::min<std::size_t>(stored.size(), length - done));
    SKEP_TRY(storage_.read(offset + done, chunk));
    if (!std::all_of(chunk.begin(), chunk.end(),
                     [value](std::uint8_t byte) { return byte == value; })) {
      return false;
    }
    done += static_cast<std::uint32_t>(chunk.size());
  }
  return true;
}

Result<std::uint32_t> RecordLog::stored_crc(std::uint32_t offset, std::uint32_t length) {
  std::array<std::uint8_t, kChunkBytes> stored{};
  std::uint32_t crc = 0;
  for (std::uint32_t done = 0; done < length;) {
    const auto chunk =
        MutableBytes(stored).first(std::min<std::size_t>(stored.size(), length - done));
    SKEP_TRY(storage_.read(offset + done, chunk));
    crc = crc32(chunk, crc);
    done += static_cast<std::uint32_t>(chunk.size());
  }
  return crc;
}

}  // namespace skep
