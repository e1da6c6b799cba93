#include "skep/model/model_slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "booted.h"
#include "interrupted.h"
#include "skep/core_testing/ram_flash.h"
#include "test_package.h"

namespace skep::model {
namespace {

using core_testing::RamFlash;
using test::Booted;
using test::Buffer;
using test::kGeometry;
using test::kPackageBytesMax;
using test::layout_of;
using test::TestPackage;

TEST(ModelSlots, BeginsWithoutAModel) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.status, Status::kOk);
  EXPECT_FALSE(device.slots.current().has_value());
  EXPECT_EQ(device.slots.recovery(), Status::kOk);
  EXPECT_EQ(flash.operation_count(), 0U);
}

TEST(ModelSlots, InstallsOneVersionAfterAnother) {
  for (const std::uint32_t program_unit : {1U, 4U, 8U, 32U}) {
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{100}, std::size_t{1024}}) {
      RamFlash flash({kGeometry.size_bytes, 512, program_unit});
      for (std::uint32_t version = 1; version <= 5; ++version) {
        Booted device(flash);
        ASSERT_EQ(device.status, Status::kOk);
        ASSERT_EQ(device.install(TestPackage(version).encoded(), piece), Status::kOk);
        EXPECT_EQ(device.checked_version(), version);
        Booted again(flash);
        EXPECT_EQ(again.checked_version(), version);
        EXPECT_EQ(again.slots.recovery(), Status::kOk);
      }
      EXPECT_EQ(flash.violation(), "") << program_unit << " " << piece;
    }
  }
}

// ---- Packages that are refused

// Offers a package to a device with version 5; it must keep that, also after a reset.
Status offer(const Buffer& package, test::Federation federation = test::kFederation,
             std::uint16_t inputs_max = 64) {
  RamFlash flash(kGeometry);
  Booted device(flash, federation);
  TestPackage first(5);
  std::copy(federation.begin(), federation.end(), first.manifest.federation);
  EXPECT_EQ(device.install(first.encoded()), Status::kOk);
  device.policy.inputs_max = inputs_max;
  const Status status = device.install(package);
  if (status != Status::kOk) {
    EXPECT_EQ(device.checked_version(), 5U);
    Booted again(flash, federation);
    EXPECT_EQ(again.checked_version(), 5U);
    EXPECT_EQ(again.install(TestPackage(6).encoded()),
              federation == test::kFederation ? Status::kOk : Status::kWrongFederation);
  }
  return status;
}

TEST(ModelSlots, RefusesOldVersions) {
  EXPECT_EQ(offer(TestPackage(4).encoded()), Status::kStaleVersion);
  EXPECT_EQ(offer(TestPackage(5).encoded()), Status::kStaleVersion);
  EXPECT_EQ(offer(TestPackage(6).encoded()), Status::kOk);
}

TEST(ModelSlots, RefusesAnotherFederation) {
  EXPECT_EQ(offer(TestPackage(6).encoded(), {8, 7, 6, 5, 4, 3, 2, 1}), Status::kWrongFederation);
}

TEST(ModelSlots, RefusesWhatNeedsANewerSdkOrMoreMemory) {
  TestPackage package(6);
  package.manifest.minimum_sdk_version = test::kSdkVersion + 1;
  EXPECT_EQ(offer(package.encoded()), Status::kUnsupportedVersion);
  EXPECT_EQ(offer(TestPackage(6).encoded(), test::kFederation, 7), Status::kNoMemory);
}

TEST(ModelSlots, RefusesWeightsOfAnotherLengthOrContent) {
  TestPackage shorter(6);
  shorter.weights.pop_back();
  EXPECT_EQ(offer(shorter.encoded()), Status::kBadDigest);
  TestPackage other(6);
  other.weights[350] ^= 1;
  EXPECT_EQ(offer(other.encoded()), Status::kBadDigest);
}

TEST(ModelSlots, RefusesEveryFlippedBit) {
  const Buffer good = TestPackage(6, 40).encoded();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    ASSERT_NE(offer(bad), Status::kOk) << bit;
  }
}

TEST(ModelSlots, RefusesTruncatedPackagesAndGarbage) {
  const Buffer good = TestPackage(6).encoded();
  for (std::size_t size = 1; size < good.size(); size += 13) {
    ASSERT_EQ(offer({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}),
              Status::kMalformed)
        << size;
  }
  EXPECT_EQ(offer(Buffer(300, 0xFF)), Status::kMalformed);
  EXPECT_EQ(offer(Buffer(300, 0x00)), Status::kMalformed);
}

// The order of the checks is a contract: a wrong signature is said before anything is believed.
TEST(ModelSlots, ChecksTheSignatureBeforeTheContent) {
  TestPackage package(4);
  package.manifest.federation[0] ^= 1;
  package.manifest.minimum_sdk_version = 0xFFFFFF;
  Buffer bytes = package.encoded();
  EXPECT_EQ(offer(bytes), Status::kWrongFederation);
  const Buffer manifest_start = {'t', 'e', 's', 't'};
  *std::search(bytes.begin(), bytes.end(), manifest_start.begin(), manifest_start.end()) ^= 1;
  EXPECT_EQ(offer(bytes), Status::kBadSignature);
}

// ---- Calls in the wrong order

TEST(ModelSlots, CallsOutOfOrderChangeNothing) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  const Buffer package = TestPackage(1).encoded();
  const auto size = static_cast<std::uint32_t>(package.size());
  const Buffer piece(16, 1);
  EXPECT_EQ(device.slots.erase_step().status(), Status::kInvalidArgument);
  EXPECT_EQ(device.slots.append(0, piece), Status::kInvalidArgument);
  EXPECT_EQ(device.slots.finish(), Status::kInvalidArgument);
  EXPECT_EQ(device.slots.begin_install(0), Status::kInvalidArgument);
  EXPECT_EQ(device.slots.begin_install(kPackageBytesMax + 1), Status::kTooLarge);

  ASSERT_EQ(device.slots.begin_install(size), Status::kOk);
  EXPECT_EQ(device.slots.append(0, piece), Status::kBusy);
  EXPECT_EQ(device.slots.finish(), Status::kBusy);
  EXPECT_FALSE(*device.slots.erase_step());
  EXPECT_TRUE(*device.slots.erase_step());
  EXPECT_TRUE(*device.slots.erase_step()) << "harmless when done";
  EXPECT_EQ(device.slots.append(1, piece), Status::kInvalidArgument) << "a gap";
  ASSERT_EQ(device.slots.append(0, Bytes(package).first(50)), Status::kOk);
  EXPECT_EQ(device.slots.append(0, Bytes(package).first(50)), Status::kInvalidArgument) << "again";
  EXPECT_EQ(device.slots.append(50, Buffer(size - 49)), Status::kTooLarge);
  EXPECT_EQ(device.slots.append(50, {}), Status::kOk);
  EXPECT_EQ(device.slots.finish(), Status::kInvalidArgument) << "incomplete";
  EXPECT_EQ(device.slots.begin_install(kPackageBytesMax + 1), Status::kTooLarge);
  EXPECT_EQ(device.slots.received_bytes(), 50U);
  ASSERT_EQ(device.slots.append(50, Bytes(package).subspan(50)), Status::kOk);
  EXPECT_EQ(device.slots.finish(), Status::kOk);
  EXPECT_EQ(device.checked_version(), 1U);
  EXPECT_EQ(device.slots.finish(), Status::kInvalidArgument) << "twice";
  EXPECT_EQ(flash.violation(), "");
}

TEST(ModelSlots, ACancelledInstallationLeavesTheModel) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.install(TestPackage(1).encoded()), Status::kOk);
  ASSERT_EQ(device.slots.begin_install(900), Status::kOk);
  ASSERT_TRUE(device.slots.erase_step().ok());
  device.slots.cancel_install();
  EXPECT_EQ(device.slots.erase_step().status(), Status::kInvalidArgument);
  EXPECT_EQ(device.checked_version(), 1U);
  EXPECT_EQ(Booted(flash).checked_version(), 1U);
  EXPECT_EQ(device.install(TestPackage(2).encoded()), Status::kOk);
}

TEST(ModelSlots, IsUnusableBeforeOpen) {
  RamFlash flash(kGeometry);
  RecordLog log(flash);
  test::TestVerifier verifier;
  test::TestPolicy policy;
  ModelSlots slots(flash, log, {verifier, policy, test::kFederation, 1});
  EXPECT_EQ(slots.begin_install(10), Status::kInvalidArgument);
  EXPECT_EQ(slots.open(layout_of(kGeometry)), Status::kInvalidArgument) << "the log is not open";
  EXPECT_EQ(slots.begin_install(10), Status::kInvalidArgument);
}

// ---- Damage and failures

TEST(ModelSlots, FallsBackWhenTheCurrentSlotIsDamagedAndHealsUpwards) {
  RamFlash flash(kGeometry);
  {
    Booted device(flash);
    ASSERT_EQ(device.install(TestPackage(3).encoded()), Status::kOk);  // slot A
    ASSERT_EQ(device.install(TestPackage(5).encoded()), Status::kOk);  // slot B
  }
  const StorageLayout layout = layout_of(kGeometry);
  const auto package_bytes = static_cast<std::uint32_t>(TestPackage(5).encoded().size());
  for (std::uint32_t bit = 0; bit < package_bytes * 8; bit += 5) {
    RamFlash damaged = flash;
    damaged.flip_bit(layout.slot_b.offset + bit / 8, bit % 8);
    Booted device(damaged);
    ASSERT_EQ(device.status, Status::kOk);
    ASSERT_EQ(device.checked_version(), 3U) << bit;
    ASSERT_NE(device.slots.recovery(), Status::kOk);
    ASSERT_EQ(device.install(TestPackage(4).encoded()), Status::kStaleVersion)
        << "below what was installed once";
    ASSERT_EQ(device.install(TestPackage(5).encoded()), Status::kOk) << "the lost one comes back";
    ASSERT_EQ(device.slots.recovery(), Status::kOk);
    ASSERT_EQ(device.install(TestPackage(5).encoded()), Status::kStaleVersion);
    ASSERT_EQ(Booted(damaged).checked_version(), 5U);
  }
}

TEST(ModelSlots, HasNoModelWhenBothSlotsAreDamagedButRemembersTheVersion) {
  RamFlash flash(kGeometry);
  {
    Booted device(flash);
    ASSERT_EQ(device.install(TestPackage(3).encoded()), Status::kOk);
    ASSERT_EQ(device.install(TestPackage(5).encoded()), Status::kOk);
  }
  flash.flip_bit(layout_of(kGeometry).slot_a.offset + 300, 2);
  flash.flip_bit(layout_of(kGeometry).slot_b.offset + 300, 2);
  Booted device(flash);
  ASSERT_EQ(device.status, Status::kOk);
  EXPECT_FALSE(device.slots.current().has_value());
  EXPECT_EQ(device.slots.recovery(), Status::kBadDigest);
  EXPECT_EQ(device.install(TestPackage(4).encoded()), Status::kStaleVersion);
  EXPECT_EQ(device.install(TestPackage(5).encoded()), Status::kOk);
  EXPECT_EQ(Booted(flash).checked_version(), 5U);
}

TEST(ModelSlots, AModelOfAnotherFederationIsNotUsedAfterMovingHouse) {
  RamFlash flash(kGeometry);
  {
    Booted device(flash);
    ASSERT_EQ(device.install(TestPackage(3).encoded()), Status::kOk);
  }
  Booted moved(flash, {9, 9, 9, 9, 9, 9, 9, 9});
  EXPECT_EQ(moved.status, Status::kOk);
  EXPECT_FALSE(moved.slots.current().has_value());
  EXPECT_EQ(moved.slots.recovery(), Status::kWrongFederation);
}

// ---- Interruptions

Status install(Booted& device, std::uint32_t version) {
  return device.install(TestPackage(version).encoded());
}

TEST(ModelSlots, ReportsAFailingFlashAndKeepsTheModel) {
  test::expect_model_kept_by_failing_flash(install);
}

TEST(ModelSlotsPower, EveryCutLeavesTheOldOrTheNewModel) {
  std::vector<std::uint64_t> seconds;
  for (std::uint64_t second = 1; second < 30; second += 1 + second / 6) seconds.push_back(second);
  test::expect_old_or_new_after_every_cut(install, seconds);
}

}  // namespace
}  // namespace skep::model
