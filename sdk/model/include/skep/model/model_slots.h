// Two slots on flash, one of which holds the model in use.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "skep/core/record_log.h"
#include "skep/model/flash_source.h"
#include "skep/model/package_checks.h"
#include "skep/model/storage_layout.h"
#include "skep/platform.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::model {

/// The model in use. `weights` reads from flash; valid as long as this is current().
struct Installed {
  std::uint32_t version;  ///< manifest.model_version.
  wire::ModelManifest manifest;
  FlashSource weights;
};

/// Installs signed packages and keeps the newest, verified, whatever instant the power fails at.
///
///     begin_install(size) → erase_step() until true → append(…) … → finish()
///
/// The package is received into the spare slot; finish() checks it there and then writes one
/// record to the log: that record is the switch. Before it, a reset finds the old model; after
/// it, the new one.
///
/// Versions only rise. One exception, which heals: if at open() the current slot no longer
/// verifies (worn flash), the package in the other slot is used, provided that it verifies and is
/// exactly the one that was in use before; then the damaged version itself may be installed
/// again, but none below it.
///
/// No heap; sizeof(ModelSlots) < 1 KB; stack < 2.5 KB (a package head and a manifest) plus the
/// verifier's. Not thread-safe.
class ModelSlots {
 public:
  /// All references outlive this object; `log` is open before open() is called.
  ModelSlots(Storage& storage, RecordLog& log, const PackageChecks& checks)
      : storage_(storage), log_(log), checks_(checks) {}
  ModelSlots(const ModelSlots&) = delete;
  ModelSlots& operator=(const ModelSlots&) = delete;

  /// Finds the current model and verifies it again: decoding, signature, federation, SDK
  /// version, spec and digest. kOk also if there is no model, or none that is usable:
  /// see current() and recovery().
  ///
  /// Errors: kStorageFailed if the log or a slot cannot be read; kMalformed if the log's record
  /// is not one of ours; kCryptoFailed.
  Status open(const StorageLayout& layout);

  /// The model in use; empty before the first.
  [[nodiscard]] const std::optional<Installed>& current() const { return current_; }

  /// Why open() did not take the slot that the log names: kOk if it did or there is none;
  /// otherwise the first check that its package failed.
  [[nodiscard]] Status recovery() const { return recovery_; }

  /// Starts an installation into the spare slot; one that was under way is dropped.
  ///
  /// Errors: kInvalidArgument if package_bytes is 0 or before open(); kTooLarge if it exceeds
  /// the slot. On error an installation under way goes on.
  Status begin_install(std::uint32_t package_bytes);

  /// Lowers the size given to begin_install(), which may be an upper bound, to the package's own:
  /// a receiver makes room before it asks, and learns the size with the first block.
  ///
  /// Errors: kInvalidArgument if nothing is being installed, or `package_bytes` is 0 or less than
  /// what was received; kTooLarge if it is above the size given before.
  Status lower_package_bytes(std::uint32_t package_bytes);

  /// Erases one more erase unit of the spare slot. True when all that the package needs is
  /// erased; until then call again.
  ///
  /// Errors: kInvalidArgument without begin_install(); kStorageFailed (the installation is
  /// dropped).
  [[nodiscard]] Result<bool> erase_step();

  /// Writes the package's next bytes. Pieces may have any length; up to 31 bytes wait in RAM for
  /// their program unit to fill.
  ///
  /// Errors, on which nothing changes: kInvalidArgument if `offset` is not received_bytes() or
  /// nothing is being installed; kBusy before erase_step() returned true; kTooLarge beyond the
  /// announced size. kStorageFailed (the installation is dropped).
  Status append(std::uint32_t offset, Bytes data);

  /// Bytes of the package that append() has taken.
  [[nodiscard]] std::uint32_t received_bytes() const { return received_bytes_; }

  /// Verifies the package and switches to it. Reads the whole package from flash: O(n) plus one
  /// signature check. However it ends, the installation is over (but for kInvalidArgument and
  /// kBusy); on every error current() is what it was.
  ///
  /// Checks in this order, with the Status of each:
  ///   complete         kInvalidArgument before all announced bytes arrived
  ///   decodes          those of wire::read_model_package()
  ///   signature        kBadSignature, then those of wire::decode_model_manifest()
  ///   federation       kWrongFederation
  ///   version          kStaleVersion unless above the newest ever installed
  ///   minimum SDK      kUnsupportedVersion
  ///   spec             those of wire::to_model_spec() and of SpecPolicy::accept(): kNoMemory …
  ///   weights          kBadDigest for another length or digest than the manifest's
  /// kStorageFailed if flash or the log failed: after a reset it may be either model.
  Status finish();

  /// Drops an installation under way. The spare slot's content is lost, current() is not touched.
  void cancel_install();

 private:
  // Where the weights lie in a package.
  struct WeightsPlace {
    std::uint32_t offset = 0;
    std::uint32_t size_bytes = 0;
  };
  enum class Phase : std::uint8_t { kClosed, kIdle, kErasing, kReceiving };

  struct SlotRecord {
    std::uint32_t version = 0;  // 0 = never written
    std::uint32_t package_bytes = 0;
  };
  struct LogRecord {
    std::uint8_t current = 0;  // index of the slot in use
    std::array<SlotRecord, 2> slots{};
  };

  Status read_log_record();
  Status write_log_record(const LogRecord& record);
  Status try_slot(std::uint8_t slot);
  [[nodiscard]] Result<VerifiedManifest> verify_manifest(const FlashSource& package,
                                                         WeightsPlace& weights) const;
  Status check_spec(const wire::ModelManifest& said) const;
  [[nodiscard]] Result<Installed> verify(std::uint8_t slot, std::uint32_t package_bytes,
                                         std::uint32_t version_min,
                                         std::uint32_t version_max) const;
  Status program(Bytes data);
  Status program_tail();
  Status install_spare();
  [[nodiscard]] static std::uint8_t other_slot(std::uint8_t slot) { return slot == 0 ? 1 : 0; }
  [[nodiscard]] std::uint8_t spare_slot() const { return other_slot(current_slot_); }
  [[nodiscard]] const FlashRegion& region(std::uint8_t slot) const {
    return slot == 0 ? layout_.slot_a : layout_.slot_b;
  }

  Storage& storage_;
  RecordLog& log_;
  PackageChecks checks_;
  StorageLayout layout_{};
  LogRecord record_{};
  std::optional<Installed> current_;
  std::uint8_t current_slot_ = 1;  // the spare one is the other; the first model goes to slot 0
  Status recovery_ = Status::kOk;
  Phase phase_ = Phase::kClosed;
  std::uint32_t package_bytes_ = 0;   // announced
  std::uint32_t erased_bytes_ = 0;    // from the start of the spare slot
  std::uint32_t received_bytes_ = 0;  // taken by append()
  std::uint32_t tail_bytes_ = 0;      // of these, not programmed yet
  std::array<std::uint8_t, 32> tail_{};
};

}  // namespace skep::model
