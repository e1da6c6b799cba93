// The log, the slots and the pending update must not allocate.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "skep/allocation_trap/allocation_trap.h"
#include "skep/core/record_log.h"
#include "skep/model/model_slots.h"
#include "skep/model/pending_update.h"
#include "test_package.h"

namespace skep::model {
namespace {

class StaticFlash final : public Storage {
 public:
  [[nodiscard]] FlashGeometry geometry() const override {
    return {static_cast<std::uint32_t>(cells_.size()), 1024, 8};
  }
  Status read(std::uint32_t offset, MutableBytes out) override {
    std::memcpy(out.data(), &cells_[offset], out.size());
    return Status::kOk;
  }
  Status program(std::uint32_t offset, Bytes data) override {
    std::memcpy(&cells_[offset], data.data(), data.size());
    return Status::kOk;
  }
  Status erase(std::uint32_t offset, std::uint32_t length_bytes) override {
    std::memset(&cells_[offset], 0xFF, length_bytes);
    return Status::kOk;
  }
  Status sync() override { return Status::kOk; }

 private:
  std::array<std::uint8_t, 16 * 1024> cells_{};
};

// Trusts everything, without allocating: the checks are another test's.
class NoAllocationVerifier final : public PackageVerifier {
 public:
  Result<VerifiedManifest> verify_manifest(Bytes manifest, Bytes) override {
    SKEP_ASSIGN_OR_RETURN(const wire::ModelManifest decoded, wire::decode_model_manifest(manifest));
    return vouch_for(decoded);
  }
  Status verify_digest(const ByteSource&, Bytes) override { return Status::kOk; }
};

TEST(NoAllocation, ALifeOfTheLogTheSlotsAndThePendingUpdate) {
  StaticFlash flash;
  NoAllocationVerifier verifier;
  test::TestPolicy policy;
  RecordLog log(flash);
  const auto layout = make_layout(flash.geometry(), 1024, 1024);
  ASSERT_TRUE(layout.ok());
  ModelSlots slots(flash, log, {verifier, policy, test::kFederation, test::kSdkVersion});
  PendingUpdate pending(flash, log, layout->pending_update);
  const test::Buffer package = test::TestPackage(1).encoded();
  test::Buffer update(700, 3);

  bool is_done = false;
  {
    const allocation_trap::Trap trap(true);
    is_done = log.open(layout->log) == Status::kOk && slots.open(*layout) == Status::kOk &&
              slots.begin_install(static_cast<std::uint32_t>(package.size())) == Status::kOk &&
              slots.erase_step().ok() && slots.append(0, package) == Status::kOk &&
              slots.finish() == Status::kOk && slots.open(*layout) == Status::kOk &&
              slots.current().has_value();
    for (int i = 0; i < 100; ++i) {
      is_done = is_done && pending.store(1, 1, update) == Status::kOk &&
                pending.load(update).ok() && pending.source().ok() &&
                pending.clear() == Status::kOk && log.open(layout->log) == Status::kOk;
    }
  }
  EXPECT_TRUE(is_done);
}

static_assert(sizeof(RecordLog) < 600);
static_assert(sizeof(ModelSlots) < 1024);
static_assert(sizeof(PendingUpdate) <= 40);

}  // namespace
}  // namespace skep::model
