#include "skep/model/model_slots.h"

#include <algorithm>
#include <cstring>

#include "skep/core/little_endian.h"
#include "skep/model/log_keys.h"

namespace skep::model {
namespace {

constexpr auto kKey = static_cast<std::uint8_t>(LogKey::kModelSlots);

// The log's record: format, current slot, two reserved bytes, then version and size of each slot.
constexpr std::uint8_t kRecordFormat = 1;
constexpr std::size_t kSlotFieldsOffset = 4;
constexpr std::size_t kSlotFieldsBytes = 8;
constexpr std::size_t kRecordBytes = kSlotFieldsOffset + 2 * kSlotFieldsBytes;

std::uint32_t round_up(std::uint32_t size, std::uint32_t unit) {
  return (size + unit - 1) / unit * unit;
}

// True for a failure of the machine, which says nothing about the package.
bool is_machine_failure(Status status) {
  return status == Status::kStorageFailed || status == Status::kCryptoFailed;
}

bool is_of_federation(const PackageChecks& checks, const wire::ModelManifest& manifest) {
  static_assert(sizeof(manifest.federation) == wire::kFederationBytes);
  return std::equal(checks.federation.begin(), checks.federation.end(), manifest.federation);
}

}  // namespace

// ---- Opening

Status ModelSlots::open(const StorageLayout& layout) {
  layout_ = layout;
  phase_ = Phase::kClosed;
  current_.reset();
  current_slot_ = 1;
  recovery_ = Status::kOk;
  SKEP_TRY(read_log_record());
  if (record_.slots[record_.current].version != 0) {
    const std::uint8_t other = other_slot(record_.current);
    recovery_ = try_slot(record_.current);
    if (is_machine_failure(recovery_)) return recovery_;
    current_slot_ = record_.current;
    if (recovery_ != Status::kOk && record_.slots[other].version != 0) {
      const Status fallback = try_slot(other);
      if (is_machine_failure(fallback)) return fallback;
      if (fallback == Status::kOk) current_slot_ = other;
    }
  }
  phase_ = Phase::kIdle;
  return Status::kOk;
}

// Makes the slot's package the current one, if it still is exactly what was installed there.
Status ModelSlots::try_slot(std::uint8_t slot) {
  const SlotRecord& expected = record_.slots[slot];
  const auto verified = verify(slot, expected.package_bytes, expected.version, expected.version);
  if (verified.ok()) current_.emplace(*verified);
  return verified.status();
}

// A function of its own, so that the manifest's bytes are off the stack when it is looked at.
[[gnu::noinline]] Result<VerifiedManifest> ModelSlots::verify_manifest(
    const FlashSource& package, WeightsPlace& weights) const {
  wire::PackageHead head;
  SKEP_TRY(wire::read_model_package(package, head));
  weights = {head.weights_offset, head.weights_bytes};
  return checks_.verifier.verify_manifest(head.manifest_view(), head.signature);
}

Result<Installed> ModelSlots::verify(std::uint8_t slot, std::uint32_t package_bytes,
                                     std::uint32_t version_min, std::uint32_t version_max) const {
  if (package_bytes > region(slot).size_bytes) return Status::kMalformed;
  WeightsPlace place{};
  const auto manifest =
      verify_manifest(FlashSource(storage_, region(slot).offset, package_bytes), place);
  if (!manifest.ok()) return manifest.status();
  const wire::ModelManifest& said = **manifest;

  if (!is_of_federation(checks_, said)) return Status::kWrongFederation;
  if (said.model_version < version_min || said.model_version > version_max) {
    return Status::kStaleVersion;
  }
  if (said.minimum_sdk_version > checks_.sdk_version) return Status::kUnsupportedVersion;
  SKEP_TRY(check_spec(said));
  if (said.weights_bytes != place.size_bytes) return Status::kBadDigest;
  const FlashSource weights(storage_, region(slot).offset + place.offset, place.size_bytes);
  SKEP_TRY(checks_.verifier.verify_digest(weights, Bytes(said.weights_digest)));
  return Installed{said.model_version, said, weights};
}

[[gnu::noinline]] Status ModelSlots::check_spec(const wire::ModelManifest& said) const {
  const Result<ModelSpec> spec = wire::to_model_spec(said.spec);
  return spec.ok() ? checks_.policy.accept(*spec, said.weights_bytes) : spec.status();
}

// ---- The log's record

Status ModelSlots::read_log_record() {
  record_ = {};
  std::array<std::uint8_t, kRecordBytes> bytes{};
  const auto length = log_.get(kKey, bytes);
  if (length.status() == Status::kNotFound) return Status::kOk;
  if (length.status() == Status::kNoMemory) return Status::kMalformed;
  if (!length.ok()) return length.status();
  if (*length != bytes.size() || bytes[0] != kRecordFormat || bytes[1] > 1) {
    return Status::kMalformed;
  }
  record_.current = bytes[1];
  const std::uint8_t* field = &bytes[kSlotFieldsOffset];
  for (SlotRecord& slot : record_.slots) {
    slot = {load_u32(field), load_u32(field + 4)};
    field += kSlotFieldsBytes;
  }
  return Status::kOk;
}

Status ModelSlots::write_log_record(const LogRecord& record) {
  std::array<std::uint8_t, kRecordBytes> bytes{};
  bytes[0] = kRecordFormat;
  bytes[1] = record.current;
  std::uint8_t* field = &bytes[kSlotFieldsOffset];
  for (const SlotRecord& slot : record.slots) {
    store_u32(field, slot.version);
    store_u32(field + 4, slot.package_bytes);
    field += kSlotFieldsBytes;
  }
  return log_.put(kKey, bytes);
}

// ---- Installing

Status ModelSlots::begin_install(std::uint32_t package_bytes) {
  if (phase_ == Phase::kClosed || package_bytes == 0) return Status::kInvalidArgument;
  if (package_bytes > region(spare_slot()).size_bytes) return Status::kTooLarge;
  phase_ = Phase::kErasing;
  package_bytes_ = package_bytes;
  erased_bytes_ = 0;
  received_bytes_ = 0;
  tail_bytes_ = 0;
  return Status::kOk;
}

Status ModelSlots::lower_package_bytes(std::uint32_t package_bytes) {
  const bool installing = phase_ == Phase::kErasing || phase_ == Phase::kReceiving;
  if (!installing || package_bytes == 0 || package_bytes < received_bytes_) {
    return Status::kInvalidArgument;
  }
  if (package_bytes > package_bytes_) return Status::kTooLarge;
  package_bytes_ = package_bytes;
  return Status::kOk;
}

Result<bool> ModelSlots::erase_step() {
  if (phase_ == Phase::kReceiving) return true;
  if (phase_ != Phase::kErasing) return Status::kInvalidArgument;
  const std::uint32_t unit = storage_.geometry().erase_unit_bytes;
  const Status status = storage_.erase(region(spare_slot()).offset + erased_bytes_, unit);
  if (status != Status::kOk) {
    cancel_install();
    return status;
  }
  erased_bytes_ += unit;
  if (erased_bytes_ < round_up(package_bytes_, unit)) return false;
  phase_ = Phase::kReceiving;
  return true;
}

Status ModelSlots::append(std::uint32_t offset, Bytes data) {
  if (phase_ == Phase::kErasing) return Status::kBusy;
  if (phase_ != Phase::kReceiving || offset != received_bytes_) return Status::kInvalidArgument;
  if (data.size() > package_bytes_ - received_bytes_) return Status::kTooLarge;
  const Status status = program(data);
  if (status != Status::kOk) cancel_install();
  return status;
}

// Whole program units straight from `data`; what does not fill one waits in tail_.
Status ModelSlots::program(Bytes data) {
  const std::uint32_t unit = storage_.geometry().program_unit_bytes;
  while (!data.empty()) {
    if (tail_bytes_ == 0 && data.size() >= unit) {
      const std::size_t whole = data.size() - data.size() % unit;
      SKEP_TRY(storage_.program(region(spare_slot()).offset + received_bytes_, data.first(whole)));
      received_bytes_ += static_cast<std::uint32_t>(whole);
      data = data.subspan(whole);
      continue;
    }
    const std::size_t taken = std::min<std::size_t>(unit - tail_bytes_, data.size());
    std::memcpy(&tail_[tail_bytes_], data.data(), taken);
    tail_bytes_ += static_cast<std::uint32_t>(taken);
    received_bytes_ += static_cast<std::uint32_t>(taken);
    data = data.subspan(taken);
    if (tail_bytes_ == unit) SKEP_TRY(program_tail());
  }
  return Status::kOk;
}

// Programs the unit that tail_ has the beginning of.
Status ModelSlots::program_tail() {
  const std::uint32_t unit = storage_.geometry().program_unit_bytes;
  std::fill(tail_.begin() + tail_bytes_, tail_.begin() + unit, std::uint8_t{0xFF});
  const std::uint32_t start = region(spare_slot()).offset + received_bytes_ - tail_bytes_;
  SKEP_TRY(storage_.program(start, Bytes(tail_).first(unit)));
  tail_bytes_ = 0;
  return Status::kOk;
}

Status ModelSlots::finish() {
  if (phase_ == Phase::kErasing) return Status::kBusy;
  if (phase_ != Phase::kReceiving || received_bytes_ != package_bytes_) {
    return Status::kInvalidArgument;
  }
  const Status status = install_spare();
  phase_ = Phase::kIdle;
  return status;
}

Status ModelSlots::install_spare() {
  if (tail_bytes_ != 0) SKEP_TRY(program_tail());
  // The log's own sync must not be the one that makes the package durable: they could come in
  // the other order.
  SKEP_TRY(storage_.sync());

  const std::uint8_t slot = spare_slot();
  const SlotRecord& newest = record_.slots[record_.current];
  // The newest version is lost, and may come again, if open() could not use its slot.
  const bool has_newest = current_.has_value() && current_->version == newest.version;
  if (has_newest && newest.version == UINT32_MAX) return Status::kStaleVersion;
  const std::uint32_t version_min = has_newest ? newest.version + 1 : newest.version;
  const auto verified = verify(slot, package_bytes_, version_min, UINT32_MAX);
  if (!verified.ok()) return verified.status();

  LogRecord record = record_;
  record.current = slot;
  record.slots[slot] = {verified->version, package_bytes_};
  SKEP_TRY(write_log_record(record));
  record_ = record;
  current_.emplace(*verified);
  current_slot_ = slot;
  recovery_ = Status::kOk;
  return Status::kOk;
}

void ModelSlots::cancel_install() {
  if (phase_ != Phase::kClosed) phase_ = Phase::kIdle;
}

}  // namespace skep::model
