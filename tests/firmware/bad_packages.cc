// Every kind of bad package, and of bad flash, is refused with its own code, and the old model
// serves on: at once, and after a restart.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "skep/core/record_log.h"
#include "skep/model/model_slots.h"
#include "skep/port_baremetal/flash_storage.h"
#include "skep/round/local_round.h"
#include "skep/round/trust.h"
#include "skep/version.h"
#include "support/emulated_flash.h"
#include "support/packages.h"
#include "support/samples.h"
#include "support/test_board.h"
#include "support/test_keys.h"

namespace skep::firmware_test {
namespace {

constexpr std::uint32_t kMaxPackageBytes = 1024;
constexpr std::uint32_t kMaxUpdateBytes = 1024;
constexpr std::uint32_t kProgramUnitBytes = 4;
constexpr std::size_t kWorkspaceBytes = 8192;
constexpr std::uint32_t kGoodVersion = 5;

constexpr std::uint32_t kDense = 1;
constexpr std::uint32_t kRelu = 2;

FlashCells cells;
alignas(8) std::array<std::byte, kWorkspaceBytes> workspace;
StaticSamples<8, kSmallSpec.inputs> samples;
std::array<std::uint8_t, kMaxPackageBytes> package_bytes;
std::array<std::uint32_t, kFlashUnits> erase_counts;

model::StorageLayout layout() {
  FlashGeometry geometry{kFlashBytes, kEraseUnitBytes, kProgramUnitBytes};
  geometry.size_bytes -= port_baremetal::WearLog::units_for(geometry) * geometry.erase_unit_bytes;
  return take(model::make_layout(geometry, kMaxPackageBytes, kMaxUpdateBytes), "layout");
}

// The device from its flash up to the model, with the checks that a real one makes.
class Booted {
 public:
  Booted() : storage(flash, erase_counts), log(storage), slots(storage, log, checks()) {
    require(storage.open(), "storage");
    status = log.open(layout().log);
    if (status == Status::kOk) status = slots.open(layout());
  }

  EmulatedFlash flash{cells, kProgramUnitBytes};
  port_baremetal::FlashStorage storage;
  RecordLog log;
  model::ModelSlots slots;
  Status status = Status::kOk;

 private:
  model::PackageChecks checks() {
    static const auto key = take(
        seal::VerifyingKey::from_bytes(take(signing_key().public_key(), "public key")), "point");
    static round::PackageTrust trust;
    static round::WorkspacePolicy policy(take(
        round::LocalRound::workspace_bytes(kSmallSpec, round::kLeastCompression), "workspace"));
    trust.set_key(key);
    model::PackageChecks checks{trust, policy, {}, kSdkVersion};
    std::copy(std::begin(kFederation), std::end(kFederation), checks.federation.begin());
    return checks;
  }
};

// Receives `package` of which `announced` bytes are to come, in blocks.
Status install(Booted& device, Bytes package, std::uint32_t announced) {
  SKEP_TRY(device.slots.begin_install(announced));
  for (bool is_erased = false; !is_erased;) {
    SKEP_ASSIGN_OR_RETURN(is_erased, device.slots.erase_step());
  }
  for (std::uint32_t offset = 0; offset < package.size();) {
    const std::size_t length = std::min<std::size_t>(128, package.size() - offset);
    SKEP_TRY(device.slots.append(offset, package.subspan(offset, length)));
    offset += static_cast<std::uint32_t>(length);
  }
  return device.slots.finish();
}

Status install(Booted& device, Bytes package) {
  return install(device, package, static_cast<std::uint32_t>(package.size()));
}

// The classes that the current model gives the samples: the answer of a model that serves.
std::uint32_t predictions_of(const Booted& device) {
  require(device.slots.current().has_value(), "a model serves");
  const model::Installed& current = *device.slots.current();
  const ModelSpec spec = take(wire::to_model_spec(current.manifest.spec), "spec");
  round::LocalRound predictor(samples, workspace);
  std::uint32_t classes = 0;
  for (const auto& features : samples.features) {
    const std::uint16_t found = take(predictor.predict(spec, current.weights, features), "predict");
    classes = classes * 4 + found;
  }
  return classes;
}

std::uint32_t good_predictions = 0;

void check_old_serves(const Booted& device) {
  require(device.slots.current().has_value(), "a model serves");
  require(device.slots.current()->version == kGoodVersion, "it is the old one");
  require(predictions_of(device) == good_predictions, "and predicts as before");
}

void check_old_serves_after_restart() {
  const Booted device;
  require(device.status, "restart");
  require(device.slots.recovery(), "restart without recovery");
  check_old_serves(device);
}

void expect_refused(const char* name, Status found, Status expected) {
  report({"refused", name, found});
  require(found == expected, name);
}

Bytes package_of(const PackageContent& content) {
  const std::size_t size = take(make_package(content, package_bytes), "package");
  return Bytes(package_bytes).first(size);
}

void check_refused(const char* name, Bytes package, Status expected) {
  Booted device;
  expect_refused(name, install(device, package), expected);
  check_old_serves(device);
  check_old_serves_after_restart();
}

// ---- Cases

void check_lengths() {
  const Bytes package = package_of({.version = kGoodVersion + 1});
  const auto size = static_cast<std::uint32_t>(package.size());
  {
    Booted device;
    expect_refused("ends_early", install(device, package.first(size - 1), size),
                   Status::kInvalidArgument);
    check_old_serves(device);
  }
  check_refused("truncated", package.first(size - 1), Status::kMalformed);
  check_refused("truncated_to_its_head", package.first(40), Status::kMalformed);
  Booted device;
  expect_refused("larger_than_a_slot", install(device, package, kMaxPackageBytes + 1),
                 Status::kTooLarge);
  check_old_serves(device);
}

// One bit of every 7th byte, so that all parts of a package are hit.
void check_flipped_bits() {
  std::array<std::uint32_t, 32> answers{};
  std::uint32_t flips = 0;
  const std::size_t size = package_of({.version = kGoodVersion + 1}).size();
  Booted device;
  for (std::size_t at = 0; at < size; at += 7, ++flips) {
    const auto bit = static_cast<std::uint8_t>(1U << (at % 8));
    package_bytes[at] = static_cast<std::uint8_t>(package_bytes[at] ^ bit);
    const Status found = install(device, Bytes(package_bytes).first(size));
    package_bytes[at] = static_cast<std::uint8_t>(package_bytes[at] ^ bit);
    require(found == Status::kBadSignature || found == Status::kBadDigest ||
                found == Status::kMalformed,
            "a flipped bit is found by a check of the content");
    ++answers[static_cast<std::size_t>(found)];
    require(device.slots.current()->version == kGoodVersion, "the old model stays");
  }
  check_old_serves(device);
  check_old_serves_after_restart();
  const auto count_of = [&](Status status) { return answers[static_cast<std::size_t>(status)]; };
  report({"refused flipped_bit",
          {"flips", flips},
          {"BadSignature", count_of(Status::kBadSignature)},
          {"BadDigest", count_of(Status::kBadDigest)},
          {"Malformed", count_of(Status::kMalformed)}});
  require(count_of(Status::kBadSignature) > 0, "flipped bit of the manifest or signature");
  require(count_of(Status::kBadDigest) > 0, "flipped bit of the weights");
}

void check_spec(const char* name, std::uint32_t inputs, std::span<const RawLayer> layers,
                Status expected) {
  const RawSpec spec{inputs, layers};
  check_refused(name, package_of({.version = kGoodVersion + 1, .spec = &spec}), expected);
}

void check_specs() {
  static constexpr RawLayer kTooManyParameters[] = {{kDense, 4096}, {kDense, 4096}, {kDense, 4096}};
  // 65,537 * 65,537 is 131,073 modulo 2^32: a few parameters, if the product overflows.
  static constexpr RawLayer kOverflow[] = {{kDense, 65537}, {kRelu, 65537}, {kDense, 65537}};
  static constexpr RawLayer kLargest[] = {{kDense, UINT32_MAX}};
  static constexpr RawLayer kForTheArena[] = {{kDense, 32}, {kRelu, 32}, {kDense, 10}};
  static constexpr RawLayer kUnknownKind[] = {{kDense, 12}, {12, 12}};
  static constexpr RawLayer kZeroWidth[] = {{kDense, 0}};
  check_spec("no_layers", 16, {}, Status::kMalformed);
  check_spec("zero_width", 16, kZeroWidth, Status::kMalformed);
  check_spec("overflowing_product", 65537, kOverflow, Status::kMalformed);
  check_spec("largest_width", 16, kLargest, Status::kMalformed);
  check_spec("too_many_parameters", 4096, kTooManyParameters, Status::kTooLarge);
  check_spec("unknown_layer", 16, kUnknownKind, Status::kUnsupported);
  check_spec("weights_of_another_shape", 16, kForTheArena, Status::kMalformed);
}

// The arena holds a round of kSmallSpec to the byte.
void check_arena() {
  check_refused("too_large_for_the_arena",
                package_of({.version = kGoodVersion + 1, .model = kLargerSpec}), Status::kNoMemory);
}

void check_trust() {
  check_refused("another_key",
                package_of({.version = kGoodVersion + 1, .signed_by = SignedBy::kForeigner}),
                Status::kBadSignature);
  check_refused("lower_version", package_of({.version = kGoodVersion - 1}), Status::kStaleVersion);
  check_refused("same_version", package_of({.version = kGoodVersion}), Status::kStaleVersion);
}

// From the n-th operation on, for every n: the flash is full or worn, and says so.
void check_failing_flash() {
  const Bytes package = package_of({.version = kGoodVersion + 1});
  std::uint32_t failing = 0;
  for (std::uint32_t n = 1;; ++n) {
    static FlashCells before;
    before = cells;
    bool is_installed = false;
    {
      Booted device;
      device.flash.fail_from(n);
      const Status found = install(device, package);
      is_installed = found == Status::kOk;
      if (!is_installed) {
        require(found == Status::kStorageFailed, "a failing flash is reported");
        check_old_serves(device);
        require(device.storage.health().erase_errors + device.storage.health().program_errors > 0,
                "and counted");
      }
    }
    if (is_installed) {
      cells = before;
      break;
    }
    ++failing;
    Booted device;
    require(device.status, "restart after a failure");
    const std::uint32_t version = device.slots.current()->version;
    require(version == kGoodVersion || version == kGoodVersion + 1, "a verified model serves");
    cells = before;
  }
  report({"refused failing_flash", Status::kStorageFailed, {"operations", failing}});
  require(failing > 10, "an installation has many operations");
  check_old_serves_after_restart();
}

void check_unreadable_flash() {
  const Bytes package = package_of({.version = kGoodVersion + 1});
  {
    Booted device;
    device.flash.make_unreadable(layout().slot_b.offset, layout().slot_b.offset + 1);
    const FlashCells before = cells;
    expect_refused("unreadable_spare_slot", install(device, package), Status::kStorageFailed);
    check_old_serves(device);
    require(before.bytes[0] == cells.bytes[0], "the log is not touched");
  }
  check_old_serves_after_restart();
  {
    Booted device;
    device.flash.make_unreadable(layout().slot_a.offset, layout().pending_update.offset);
    expect_refused("unreadable_slots", device.slots.open(layout()), Status::kStorageFailed);
    device.flash.make_unreadable(0, layout().slot_a.offset);
    expect_refused("unreadable_log", device.log.open(layout().log), Status::kStorageFailed);
    require(device.storage.health().read_errors >= 2, "read errors are counted");
  }
  check_old_serves_after_restart();
}

void check_good_one_still_installs() {
  Booted device;
  require(install(device, package_of({.version = kGoodVersion + 1})), "a good package");
  require(device.slots.current()->version == kGoodVersion + 1, "is installed");
}

void install_first_model() {
  make_blank(cells);
  fill_half_dark(samples, 4);
  Booted device;
  require(device.status, "a blank flash");
  require(!device.slots.current().has_value(), "has no model");
  require(install(device, package_of({.version = kGoodVersion})), "the first model");
  good_predictions = predictions_of(device);
}

}  // namespace
}  // namespace skep::firmware_test

int main() {
  using namespace skep::firmware_test;
  make_keys();
  install_first_model();
  check_lengths();
  check_flipped_bits();
  check_trust();
  check_specs();
  check_arena();
  check_failing_flash();
  check_unreadable_flash();
  check_good_one_still_installs();
  finish(true);
}
