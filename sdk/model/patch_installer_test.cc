#include "skep/model/patch_installer.h"

#include <gtest/gtest.h>

#include <algorithm>

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
using test::kWeightsBytes;
using test::TestPackage;

Buffer patch(std::uint32_t from, std::uint32_t to, std::size_t weights_bytes = kWeightsBytes) {
  return TestPackage(to, weights_bytes).patch_of(TestPackage(from, weights_bytes));
}

TEST(PatchInstaller, InstallsOneVersionAfterAnotherInAnyPieces) {
  for (const std::uint32_t program_unit : {1U, 4U, 8U, 32U}) {
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{512}, std::size_t{4096}}) {
      RamFlash flash({kGeometry.size_bytes, 512, program_unit});
      ASSERT_EQ(Booted(flash).install(TestPackage(1).encoded()), Status::kOk);
      for (std::uint32_t version = 2; version <= 5; ++version) {
        Booted device(flash);
        ASSERT_EQ(device.install_patch(patch(version - 1, version), piece), Status::kOk);
        EXPECT_EQ(device.checked_version(), version);
        EXPECT_EQ(Booted(flash).checked_version(), version);
      }
      EXPECT_EQ(flash.violation(), "") << program_unit << " " << piece;
    }
  }
}

// What lies in the slot is the package, bit by bit.
TEST(PatchInstaller, MakesThePackageItself) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.install(TestPackage(1).encoded()), Status::kOk);
  ASSERT_EQ(device.install_patch(patch(1, 2)), Status::kOk);
  const Buffer package = TestPackage(2).encoded();
  Buffer found(package.size());
  ASSERT_EQ(flash.read(device.layout.slot_b.offset, found), Status::kOk);
  EXPECT_EQ(found, package);
}

TEST(PatchInstaller, SkipsVersionsAndRollsBack) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.install(TestPackage(1).encoded()), Status::kOk);
  ASSERT_EQ(device.install_patch(patch(1, 4)), Status::kOk);
  EXPECT_EQ(device.checked_version(), 4U);
  TestPackage back(5);
  back.weights = TestPackage(1).weights;
  const Buffer digest = test::sha256(back.weights);
  std::copy(digest.begin(), digest.end(), back.manifest.weights_digest);
  back.manifest.rolls_back_to = 1;
  ASSERT_EQ(device.install_patch(back.patch_of(TestPackage(4))), Status::kOk);
  Booted again(flash);
  EXPECT_EQ(again.slots.current()->version, 5U);
  EXPECT_EQ(again.slots.current()->manifest.rolls_back_to, 1U);
  Buffer weights(kWeightsBytes);
  ASSERT_EQ(again.slots.current()->weights.read(0, weights), Status::kOk);
  EXPECT_EQ(weights, back.weights);
}

// Every device has room for one.
static_assert(sizeof(PatchInstaller) <= 96);

// ---- Patches that are refused

// Offers a patch to a device with version 5; it must keep that, and take a package afterwards.
Status offer(const Buffer& offered, std::size_t weights_bytes = kWeightsBytes) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  EXPECT_EQ(device.install(TestPackage(5, weights_bytes).encoded()), Status::kOk);
  const Status status = device.install_patch(offered, 48);
  if (status != Status::kOk) {
    EXPECT_EQ(device.checked_version(weights_bytes), 5U);
    EXPECT_EQ(Booted(flash).checked_version(weights_bytes), 5U);
    EXPECT_EQ(device.install(TestPackage(6, weights_bytes).encoded()), Status::kOk);
  }
  EXPECT_EQ(flash.violation(), "");
  return status;
}

TEST(PatchInstaller, RefusesEveryFlippedBit) {
  const Buffer good = patch(5, 6, 40);
  ASSERT_EQ(offer(good, 40), Status::kOk);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    ASSERT_NE(offer(bad, 40), Status::kOk) << bit;
  }
}

TEST(PatchInstaller, RefusesEveryTruncation) {
  const Buffer good = patch(5, 6);
  for (std::size_t size = 1; size < good.size(); size += 7) {
    ASSERT_EQ(offer({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}),
              Status::kMalformed)
        << size;
  }
}

TEST(PatchInstaller, RefusesWhatIsForAnotherBase) {
  EXPECT_EQ(offer(patch(4, 6)), Status::kWrongBase);
  TestPackage liar(4);  // says that it is the patch of 5
  liar.manifest.model_version = 5;
  EXPECT_EQ(offer(TestPackage(6).patch_of(liar)), Status::kBadDigest);
}

TEST(PatchInstaller, RefusesOldVersionsAndForeignSignatures) {
  EXPECT_EQ(offer(patch(5, 4)), Status::kStaleVersion);
  EXPECT_EQ(offer(patch(5, 5)), Status::kStaleVersion);
  TestPackage foreign(6);
  foreign.manifest.federation[0] ^= 1;
  EXPECT_EQ(offer(foreign.patch_of(TestPackage(5))), Status::kWrongFederation);
}

TEST(PatchInstaller, RefusesAPackage) {
  EXPECT_EQ(offer(TestPackage(6).encoded()), Status::kMalformed);
}

TEST(PatchInstaller, RefusesWhatTheSlotCannotHold) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.install(TestPackage(1, 860).encoded()), Status::kOk);
  TestPackage next(2, 860);
  std::snprintf(next.manifest.model_name, sizeof(next.manifest.model_name), "%s",
                "a-longer-name-than-before-0123");
  ASSERT_GT(next.encoded().size(), kPackageBytesMax);
  EXPECT_EQ(device.install_patch(next.patch_of(TestPackage(1, 860))), Status::kTooLarge);
  EXPECT_EQ(device.checked_version(860), 1U);
}

TEST(PatchInstaller, NeedsAFreshSlot) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.install(TestPackage(1).encoded()), Status::kOk);
  const Buffer good = patch(1, 2);
  EXPECT_EQ(PatchInstaller(device.slots).append(good), Status::kInvalidArgument);
  ASSERT_EQ(device.make_room(kPackageBytesMax), Status::kOk);
  ASSERT_EQ(device.slots.append(0, Bytes(good).first(8)), Status::kOk);
  EXPECT_EQ(PatchInstaller(device.slots).append(good), Status::kInvalidArgument);
}

// ---- Damage and failures

TEST(PatchInstaller, DamagedBaseIsFoundByTheDigest) {
  RamFlash whole(kGeometry);
  ASSERT_EQ(Booted(whole).install(TestPackage(5).encoded()), Status::kOk);
  const Buffer good = patch(5, 6);
  for (std::uint32_t bit = 0; bit < kWeightsBytes * 8; bit += 37) {
    RamFlash flash = whole;
    Booted device(flash);
    const std::uint32_t weights =
        static_cast<std::uint32_t>(TestPackage(5).encoded().size() - kWeightsBytes);
    flash.flip_bit(device.layout.slot_a.offset + weights + bit / 8, bit % 8);
    ASSERT_EQ(device.install_patch(good), Status::kBadDigest) << bit;
    ASSERT_EQ(device.install(TestPackage(6).encoded()), Status::kOk);
    ASSERT_EQ(Booted(flash).checked_version(), 6U);
  }
}

// ---- Interruptions

Status install(Booted& device, std::uint32_t version) {
  return device.install_patch(patch(device.checked_version(), version));
}

TEST(PatchInstaller, ReportsAFailingFlashAndKeepsTheModel) {
  test::expect_model_kept_by_failing_flash(install);
}

TEST(PatchInstallerPower, EveryCutLeavesTheOldOrTheNewModel) {
  constexpr std::uint64_t kSeconds[] = {1, 3, 9, 27};
  test::expect_old_or_new_after_every_cut(install, kSeconds);
}

}  // namespace
}  // namespace skep::model
