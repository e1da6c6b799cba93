// Cuts the power at every program and erase operation of an installation, of a package or by a
// patch, and of a pending update's writing, and at every one of the recovery from each of these.
//
// The flash lies in memory that survives a reset. An operation that is to be cut is torn and the
// board resets itself, as if the power had come back: the next boot finds what was torn, and
// nothing in RAM. Each boot does one step of the test, whose state survives as well.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "skep/core/record_log.h"
#include "skep/model/model_slots.h"
#include "skep/model/patch_installer.h"
#include "skep/model/pending_update.h"
#include "skep/port_baremetal/flash_storage.h"
#include "skep/round/trust.h"
#include "skep/seal/crypto.h"
#include "skep/version.h"
#include "support/emulated_flash.h"
#include "support/packages.h"
#include "support/test_board.h"
#include "support/test_keys.h"

namespace skep::firmware_test {
namespace {

constexpr std::uint32_t kMaxPackageBytes = 1024;
constexpr std::uint32_t kUpdateBytes = 300;
constexpr std::uint32_t kMaxUpdateBytes = 1024;
constexpr std::uint32_t kBlockBytes = 128;  // what one append() takes
constexpr std::size_t kWorkspaceBytes = 8192;

enum class Work : std::uint8_t { kInstall, kInstallPatch, kReplaceUpdate };

struct Campaign {
  const char* name;
  Work work;
  std::uint32_t program_unit_bytes;
  SignedBy signed_by;
  bool cuts_recovery;
  Tear first_tear;  // of those that are tried, the others follow
};
// A real signature takes 20 million instructions to check, so only the first has them, and only
// the tears that leave something torn or new.
constexpr std::array<Campaign, 7> kCampaigns{{
    {"install_signed", Work::kInstall, 8, SignedBy::kOurs, false, Tear::kRandomBits},
    {"install_unit_4", Work::kInstall, 4, SignedBy::kHash, true, Tear::kNothing},
    {"install_unit_8", Work::kInstall, 8, SignedBy::kHash, true, Tear::kNothing},
    {"install_patch_unit_4", Work::kInstallPatch, 4, SignedBy::kHash, true, Tear::kNothing},
    {"install_patch_unit_8", Work::kInstallPatch, 8, SignedBy::kHash, true, Tear::kNothing},
    {"update_unit_4", Work::kReplaceUpdate, 4, SignedBy::kHash, true, Tear::kNothing},
    {"update_unit_8", Work::kReplaceUpdate, 8, SignedBy::kHash, true, Tear::kNothing},
}};

// Also a patch of one, whose weights have nothing in common with those before: it is a little
// longer than the package.
struct Package {
  std::array<std::uint8_t, kMaxPackageBytes + 256> bytes;
  std::uint32_t size_bytes;

  [[nodiscard]] Bytes view() const { return {bytes.data(), size_bytes}; }
};

// What the next boot does.
enum class Stage : std::uint32_t { kPrepare, kWork, kRecover, kRecoverAgain };

struct Totals {
  std::uint32_t boots;
  std::uint32_t operations;  // of the work, uncut
  std::uint32_t cuts;
  std::uint32_t recovery_cuts;
  std::uint32_t old_model;  // boots after a cut that found the old one, the new one
  std::uint32_t new_model;
};

// Everything that survives a reset.
struct Retained {
  std::uint32_t magic;
  Stage stage;
  std::uint32_t campaign;
  std::uint32_t cut;           // operation of the work at which the power fails, from 1
  std::uint32_t recovery_cut;  // the same of the recovery, 0: not in this one
  Tear tear;
  bool install_acknowledged;
  bool clear_acknowledged;
  bool store_acknowledged;
  Totals totals;
  FlashCells cells;
  FlashCells prepared;  // before the work
  FlashCells torn;      // after the cut of the work
  Package old_package;
  Package new_package;
  Package patch;                // of the old one, that makes the new one
  seal::VerifyingPoint signer;  // who signed them
};

constexpr std::uint32_t kMagic = 0x43757421;

[[gnu::noinit]] Retained kept;

Retained& retained() { return kept; }

const Campaign& campaign() { return kCampaigns[retained().campaign]; }

std::array<std::uint8_t, kUpdateBytes> update_of(std::uint32_t round) {
  std::array<std::uint8_t, kUpdateBytes> bytes{};
  for (std::uint32_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(round * 41 + i * 7 + i / 256);
  }
  return bytes;
}

// ---- The device's storage, as a boot finds it

class Booted {
 public:
  explicit Booted(EmulatedFlash& flash)
      : storage(flash, erase_counts_),
        log(storage),
        pending_region_(layout().pending_update),
        slots(storage, log, checks()),
        pending(storage, log, pending_region_) {}

  Status open() {
    if (campaign().signed_by == SignedBy::kOurs) {
      SKEP_ASSIGN_OR_RETURN(const seal::VerifyingKey key,
                            seal::VerifyingKey::from_bytes(retained().signer));
      key_.emplace(key);
      trust_.set_key(*key_);
    }
    SKEP_TRY(storage.open());
    SKEP_TRY(log.open(layout().log));
    return slots.open(layout());
  }

 private:
  [[nodiscard]] static model::StorageLayout layout() {
    FlashGeometry geometry{kFlashBytes, kEraseUnitBytes, campaign().program_unit_bytes};
    geometry.size_bytes -= port_baremetal::WearLog::units_for(geometry) * geometry.erase_unit_bytes;
    return take(model::make_layout(geometry, kMaxPackageBytes, kMaxUpdateBytes), "layout");
  }

  model::PackageChecks checks() {
    model::PackageVerifier* verifier = &trust_;
    if (campaign().signed_by == SignedBy::kHash) verifier = &hashes_;
    model::PackageChecks checks{*verifier, policy_, {}, kSdkVersion};
    std::copy(std::begin(kFederation), std::end(kFederation), checks.federation.begin());
    return checks;
  }

  std::array<std::uint32_t, kFlashUnits> erase_counts_{};
  std::optional<seal::VerifyingKey> key_;
  round::PackageTrust trust_;
  HashVerifier hashes_;
  round::WorkspacePolicy policy_{kWorkspaceBytes};

 public:
  port_baremetal::FlashStorage storage;
  RecordLog log;

 private:
  model::FlashRegion pending_region_;

 public:
  model::ModelSlots slots;
  model::PendingUpdate pending;
};

Status make_room(Booted& device, std::uint32_t package_bytes) {
  SKEP_TRY(device.slots.begin_install(package_bytes));
  for (bool is_erased = false; !is_erased;) {
    SKEP_ASSIGN_OR_RETURN(is_erased, device.slots.erase_step());
  }
  return Status::kOk;
}

Status install(Booted& device, Bytes package) {
  SKEP_TRY(make_room(device, static_cast<std::uint32_t>(package.size())));
  while (device.slots.received_bytes() < package.size()) {
    const std::uint32_t offset = device.slots.received_bytes();
    const std::size_t length = std::min<std::size_t>(kBlockBytes, package.size() - offset);
    SKEP_TRY(device.slots.append(offset, package.subspan(offset, length)));
  }
  return device.slots.finish();
}

// As a Device does: it makes room before it knows the size.
Status install_patch(Booted& device, Bytes patch) {
  SKEP_TRY(make_room(device, kMaxPackageBytes));
  model::PatchInstaller installer(device.slots);
  for (std::size_t offset = 0; offset < patch.size(); offset += kBlockBytes) {
    const std::size_t length = std::min<std::size_t>(kBlockBytes, patch.size() - offset);
    SKEP_TRY(installer.append(patch.subspan(offset, length)));
  }
  SKEP_TRY(installer.finish());
  return device.slots.finish();
}

// The new model, in the way that the campaign is about.
Status install_new(Booted& device) {
  if (campaign().work == Work::kInstallPatch) return install_patch(device, retained().patch.view());
  return install(device, retained().new_package.view());
}

// What a round ends with and the next one begins with.
Status replace_update(Booted& device) {
  SKEP_TRY(device.pending.clear());
  retained().clear_acknowledged = true;
  SKEP_TRY(device.pending.store(2, 1, update_of(2)));
  retained().store_acknowledged = true;
  return Status::kOk;
}

Status do_work(Booted& device) {
  if (campaign().work == Work::kReplaceUpdate) return replace_update(device);
  SKEP_TRY(install_new(device));
  retained().install_acknowledged = true;
  return Status::kOk;
}

// ---- What must hold after every boot

// The round whose update is stored, whole; 0 if there is none.
std::uint32_t stored_round(Booted& device) {
  std::array<std::uint8_t, kMaxUpdateBytes> bytes{};
  const Result<model::PendingInfo> info = device.pending.load(bytes);
  if (info.status() == Status::kNotFound) return 0;
  require(info.status(), "pending update");
  const auto expected = update_of(info->round);
  require(info->size_bytes == expected.size() &&
              std::equal(expected.begin(), expected.end(), bytes.begin()),
          "pending update is what was stored");
  return info->round;
}

void check_model(Booted& device) {
  Retained& state = retained();
  require(device.slots.current().has_value(), "a model serves");
  const std::uint32_t version = device.slots.current()->version;
  require(version == 1 || version == 2, "version");
  require(!state.install_acknowledged || version == 2, "an acknowledged installation stays");
  require(campaign().work != Work::kReplaceUpdate || version == 1, "the model stays");
  ++(version == 1 ? state.totals.old_model : state.totals.new_model);
}

void check_update(Booted& device) {
  const Retained& state = retained();
  const std::uint32_t round = stored_round(device);
  if (state.store_acknowledged) {
    require(round == 2, "a stored update is not lost");
  } else if (state.clear_acknowledged) {
    require(round == 0 || round == 2, "a cleared update stays away");
  } else {
    const bool may_be_cleared = campaign().work == Work::kReplaceUpdate;
    require(round == 1 || (may_be_cleared && round == 0), "an update is not lost");
  }
}

void check(Booted& device, const EmulatedFlash& flash) {
  check_model(device);
  check_update(device);
  require(flash.violation_count() == 0, "no word is programmed twice");
}

// After it all, the device takes a model and an update as if nothing had been.
void check_it_goes_on(Booted& device, const EmulatedFlash& flash) {
  if (device.slots.current()->version == 1) {
    require(install_new(device), "install after recovery");
  }
  require(device.slots.current()->version == 2, "installed after recovery");
  require(device.pending.clear(), "clear after recovery");
  require(device.pending.store(2, 1, update_of(2)), "store after recovery");
  require(stored_round(device) == 2, "stored after recovery");
  require(flash.violation_count() == 0, "no word is programmed twice");
}

// ---- The steps

void power_fails_at_work() {
  Retained& state = retained();
  ++state.totals.cuts;
  state.torn = state.cells;
  state.recovery_cut = 0;
  state.stage = Stage::kRecover;
  board::reset();
}

void power_fails_at_recovery() {
  ++retained().totals.recovery_cuts;
  retained().stage = Stage::kRecoverAgain;
  board::reset();
}

[[noreturn]] void begin_case(std::uint32_t cut, Tear tear) {
  Retained& state = retained();
  state.cut = cut;
  state.tear = tear;
  state.cells = state.prepared;
  state.install_acknowledged = state.clear_acknowledged = state.store_acknowledged = false;
  state.stage = Stage::kWork;
  board::reset();
}

void make_packages() {
  Retained& state = retained();
  for (const std::uint32_t version : {1U, 2U}) {
    Package& package = version == 1 ? state.old_package : state.new_package;
    package.size_bytes = static_cast<std::uint32_t>(
        take(make_package({version, campaign().signed_by}, package.bytes), "package"));
    require(package.size_bytes <= kMaxPackageBytes, "a slot holds a package");
  }
  state.patch.size_bytes =
      static_cast<std::uint32_t>(take(make_patch(kSmallSpec, 1, state.old_package.view(),
                                                 state.new_package.view(), state.patch.bytes),
                                      "patch"));
}

// A flash with a model and an update, as the work finds it.
void prepare() {
  Retained& state = retained();
  state.totals = {};
  make_packages();
  state.signer = take(signing_key().public_key(), "public key");
  make_blank(state.cells);
  EmulatedFlash flash(state.cells, campaign().program_unit_bytes);
  Booted device(flash);
  require(device.open(), "open a blank flash");
  require(install(device, state.old_package.view()), "install the first model");
  require(device.pending.store(1, 1, update_of(1)), "store the first update");
  state.prepared = state.cells;
  begin_case(1, campaign().first_tear);
}

// The work got to its end before the cut came: with this tear, all operations are done.
void end_tear() {
  Retained& state = retained();
  const auto next = static_cast<std::uint32_t>(state.tear) + 1;
  if (next < kTearCount) begin_case(1, static_cast<Tear>(next));
  const Totals& totals = state.totals;
  report({"power_cut",
          campaign().name,
          {"operations", totals.operations},
          {"tears", kTearCount - static_cast<std::uint32_t>(campaign().first_tear)},
          {"cuts", totals.cuts},
          {"recovery_cuts", totals.recovery_cuts},
          {"boots", totals.boots},
          {"old_model", totals.old_model},
          {"new_model", totals.new_model}});
  if (state.campaign + 1 == kCampaigns.size()) {
    state.magic = 0;
    finish(true);
  }
  ++state.campaign;
  state.stage = Stage::kPrepare;
  board::reset();
}

void work() {
  Retained& state = retained();
  EmulatedFlash flash(state.cells, campaign().program_unit_bytes);
  Booted device(flash);
  flash.cut_at(state.cut, state.tear, power_fails_at_work);
  require(device.open(), "open");
  require(do_work(device), "work");
  state.totals.operations = flash.operation_count();
  require(state.totals.operations == state.cut - 1, "every operation was cut");
  check(device, flash);
  end_tear();
}

void recover() {
  Retained& state = retained();
  EmulatedFlash flash(state.cells, campaign().program_unit_bytes);
  Booted device(flash);
  flash.cut_at(state.recovery_cut, static_cast<Tear>((state.cut + state.recovery_cut) % kTearCount),
               power_fails_at_recovery);
  require(device.open(), "recover");
  const bool is_last = state.recovery_cut == 0 ? flash.operation_count() == 0
                                               : state.recovery_cut > flash.operation_count();
  flash.cut_at(0, Tear::kNothing, nullptr);
  check(device, flash);
  check_it_goes_on(device, flash);
  if (!campaign().cuts_recovery || is_last) begin_case(state.cut + 1, state.tear);
  state.cells = state.torn;
  ++state.recovery_cut;
  state.stage = Stage::kRecover;
  board::reset();
}

void recover_again() {
  Retained& state = retained();
  EmulatedFlash flash(state.cells, campaign().program_unit_bytes);
  Booted device(flash);
  require(device.open(), "recover again");
  check(device, flash);
  check_it_goes_on(device, flash);
  state.cells = state.torn;
  ++state.recovery_cut;
  state.stage = Stage::kRecover;
  board::reset();
}

void run_stage() {
  Retained& state = retained();
  if (state.magic != kMagic) {
    state.magic = kMagic;
    state.campaign = 0;
    state.stage = Stage::kPrepare;
  }
  ++state.totals.boots;
  make_keys();
  switch (state.stage) {
    case Stage::kPrepare:
      prepare();
      break;
    case Stage::kWork:
      work();
      break;
    case Stage::kRecover:
      recover();
      break;
    case Stage::kRecoverAgain:
      recover_again();
      break;
  }
}

}  // namespace
}  // namespace skep::firmware_test

int main() { skep::firmware_test::run_stage(); }
