#include "skep/port_baremetal/wear_log.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace skep::port_baremetal {

// A bank, in the CPU's byte order:
//
//   header     32 B: magic, sequence, ~sequence, number of units, 1 if all counts are known
//   snapshot   8 B (or a program unit) a unit: count, ~count
//   events     4 B (or a program unit) an erase: unit and ~unit, 16 bits each
//
// The header is written last: with it the bank becomes the one in use, if its sequence number is
// the higher. A value and its complement are never both read from torn or erased cells.

namespace {

constexpr std::uint32_t kMagic = 0x72616557;  // "Wear"
constexpr std::uint32_t kHeaderBytes = 32;    // one largest program unit
constexpr std::uint32_t kMaxSlotBytes = 32;
constexpr std::uint32_t kMinEraseUnitBytes = 256;
constexpr std::uint32_t kMinEvents = 16;  // a bank for fewer would be erased too often

using Slot = std::array<std::uint8_t, kMaxSlotBytes>;

struct Header {
  std::uint32_t magic;
  std::uint32_t sequence;
  std::uint32_t sequence_complement;
  std::uint32_t unit_count;
  std::uint32_t is_complete;
};
static_assert(sizeof(Header) <= kHeaderBytes);

struct Count {
  std::uint32_t value;
  std::uint32_t complement;
};

struct Event {
  std::uint16_t unit;
  std::uint16_t complement;
};

template <typename T>
std::uint32_t slot_bytes(const FlashGeometry& geometry) {
  return std::max<std::uint32_t>(sizeof(T), geometry.program_unit_bytes);
}

template <typename T>
Slot slot_of(const T& content) {
  Slot slot{};
  std::memcpy(slot.data(), &content, sizeof content);
  return slot;
}

template <typename T>
T content_of(const Slot& slot) {
  T content;
  std::memcpy(&content, slot.data(), sizeof content);
  return content;
}

std::uint32_t unit_count(const FlashGeometry& geometry) {
  return geometry.size_bytes / geometry.erase_unit_bytes;
}

bool is_allowed(const FlashGeometry& geometry) {
  return std::has_single_bit(geometry.erase_unit_bytes) &&
         geometry.erase_unit_bytes >= kMinEraseUnitBytes &&
         std::has_single_bit(geometry.program_unit_bytes) && geometry.program_unit_bytes >= 4 &&
         geometry.program_unit_bytes <= kMaxSlotBytes &&
         geometry.size_bytes % geometry.erase_unit_bytes == 0 && unit_count(geometry) < UINT16_MAX;
}

bool is_erased(const Slot& slot, std::uint32_t length) {
  return std::all_of(slot.begin(), slot.begin() + length,
                     [](std::uint8_t byte) { return byte == 0xFF; });
}

}  // namespace

struct WearLog::Bank {
  bool is_blank = false;  // the header's bytes are erased
  bool is_valid = false;
  bool is_complete = false;
  std::uint32_t sequence = 0;
};

std::uint32_t WearLog::units_for(const FlashGeometry& geometry) {
  if (!is_allowed(geometry)) return 0;
  const std::uint32_t bank_bytes = kHeaderBytes +
                                   unit_count(geometry) * slot_bytes<Count>(geometry) +
                                   kMinEvents * slot_bytes<Event>(geometry);
  const std::uint32_t bank_units =
      (bank_bytes + geometry.erase_unit_bytes - 1) / geometry.erase_unit_bytes;
  return 2 * bank_units < unit_count(geometry) ? 2 * bank_units : 0;
}

std::uint32_t WearLog::bank_start(std::uint32_t bank) const {
  return geometry_.size_bytes - (2 - bank) * bank_units_ * geometry_.erase_unit_bytes;
}

std::uint32_t WearLog::first_event() const {
  return kHeaderBytes + unit_count(geometry_) * slot_bytes<Count>(geometry_);
}

// ---- Reading

Status WearLog::open() {
  geometry_ = flash_.geometry();
  bank_units_ = units_for(geometry_) / 2;
  if (bank_units_ == 0 || counts_.size() != unit_count(geometry_)) {
    return Status::kInvalidArgument;
  }
  is_silent_ = false;
  is_appendable_ = false;
  sequence_ = 0;
  bank_ = 1;
  std::fill(counts_.begin(), counts_.end(), 0U);

  const std::array<Bank, 2> banks{look_at(0), look_at(1)};
  is_complete_ = banks[0].is_blank && banks[1].is_blank;
  const std::uint32_t newer = banks[1].sequence > banks[0].sequence ? 1 : 0;
  for (const std::uint32_t bank : {newer, 1 - newer}) {
    if (!banks[bank].is_valid || !load_snapshot(bank)) continue;
    bank_ = bank;
    sequence_ = banks[bank].sequence;
    is_complete_ = banks[bank].is_complete;
    replay_events();
    break;
  }
  return Status::kOk;
}

WearLog::Bank WearLog::look_at(std::uint32_t bank) {
  Bank found;
  Slot bytes{};
  if (flash_.read(bank_start(bank), bytes) != Status::kOk) return found;
  found.is_blank = is_erased(bytes, kHeaderBytes);
  const auto header = content_of<Header>(bytes);
  found.is_valid = header.magic == kMagic && header.sequence == ~header.sequence_complement &&
                   header.unit_count == unit_count(geometry_);
  found.sequence = found.is_valid ? header.sequence : 0;
  found.is_complete = header.is_complete == 1;
  return found;
}

bool WearLog::load_snapshot(std::uint32_t bank) {
  const std::uint32_t length = slot_bytes<Count>(geometry_);
  std::uint32_t at = bank_start(bank) + kHeaderBytes;
  for (std::uint32_t& count : counts_) {
    Slot slot{};
    const bool is_read = flash_.read(at, MutableBytes(slot).first(length)) == Status::kOk;
    const auto stored = content_of<Count>(slot);
    if (!is_read || stored.value != ~stored.complement) {
      std::fill(counts_.begin(), counts_.end(), 0U);
      return false;
    }
    count = stored.value;
    at += length;
  }
  return true;
}

// Counts what can be read; an event that was cut off is none.
void WearLog::replay_events() {
  const std::uint32_t length = slot_bytes<Event>(geometry_);
  const std::uint32_t bank_bytes = bank_units_ * geometry_.erase_unit_bytes;
  for (std::uint32_t at = first_event(); at + length <= bank_bytes; at += length) {
    Slot slot{};
    const bool is_read =
        flash_.read(bank_start(bank_) + at, MutableBytes(slot).first(length)) == Status::kOk;
    const auto event = content_of<Event>(slot);
    const bool is_valid = is_read && event.unit == static_cast<std::uint16_t>(~event.complement) &&
                          event.unit < counts_.size();
    if (is_valid) ++counts_[event.unit];
  }
}

// ---- Writing

void WearLog::note_erase(std::uint32_t unit) {
  if (unit >= counts_.size()) return;
  ++counts_[unit];
  if (is_silent_) return;
  const std::uint32_t bank_bytes = bank_units_ * geometry_.erase_unit_bytes;
  const bool has_room = end_ + slot_bytes<Event>(geometry_) <= bank_bytes;
  if (is_appendable_ && has_room && append(unit) == Status::kOk) return;
  // A full bank, or one with a worn place, or one of before the last start: what was cut off there
  // may read as erased, and is not. The snapshot has this erase as well.
  if (start_next_bank() != Status::kOk) fall_silent();
}

Status WearLog::append(std::uint32_t unit) {
  const auto number = static_cast<std::uint16_t>(unit);
  const Slot slot = slot_of(Event{number, static_cast<std::uint16_t>(~number)});
  const std::uint32_t length = slot_bytes<Event>(geometry_);
  const std::uint32_t at = bank_start(bank_) + end_;
  end_ += length;
  return program_checked(at, Bytes(slot).first(length));
}

Status WearLog::start_next_bank() {
  is_appendable_ = false;
  const std::uint32_t bank = 1 - bank_;
  const std::uint32_t start = bank_start(bank);
  const std::uint32_t first_unit = start / geometry_.erase_unit_bytes;
  for (std::uint32_t i = 0; i < bank_units_; ++i) {
    ++counts_[first_unit + i];
    SKEP_TRY(flash_.erase_unit(start + i * geometry_.erase_unit_bytes));
  }
  SKEP_TRY(write_snapshot(start));
  const std::uint32_t sequence = sequence_ + 1;
  const Slot header =
      slot_of(Header{kMagic, sequence, ~sequence, unit_count(geometry_), is_complete_ ? 1U : 0U});
  SKEP_TRY(program_checked(start, Bytes(header).first(kHeaderBytes)));
  bank_ = bank;
  sequence_ = sequence;
  end_ = first_event();
  is_appendable_ = true;
  return Status::kOk;
}

Status WearLog::write_snapshot(std::uint32_t start) {
  const std::uint32_t length = slot_bytes<Count>(geometry_);
  std::uint32_t at = start + kHeaderBytes;
  for (const std::uint32_t count : counts_) {
    const Slot slot = slot_of(Count{count, ~count});
    SKEP_TRY(program_checked(at, Bytes(slot).first(length)));
    at += length;
  }
  return Status::kOk;
}

Status WearLog::program_checked(std::uint32_t offset, Bytes data) {
  SKEP_TRY(flash_.program(offset, data));
  Slot stored{};
  SKEP_TRY(flash_.read(offset, MutableBytes(stored).first(data.size())));
  return std::memcmp(stored.data(), data.data(), data.size()) == 0 ? Status::kOk
                                                                   : Status::kStorageFailed;
}

// Until the next start: statistics are no reason to wear a bad unit further, nor to stop.
void WearLog::fall_silent() {
  is_silent_ = true;
  is_complete_ = false;
}

}  // namespace skep::port_baremetal
