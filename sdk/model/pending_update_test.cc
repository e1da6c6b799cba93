#include "skep/model/pending_update.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "skep/core_testing/ram_flash.h"

namespace skep::model {
namespace {

using core_testing::kAllTears;
using core_testing::RamFlash;
using core_testing::Tear;
using Buffer = std::vector<std::uint8_t>;

constexpr FlashGeometry kGeometry{8 * 512, 512, 8};
constexpr LogRegion kLog{0, 512, 2};
constexpr FlashRegion kRegion{1024, 1024};

struct Booted {
  explicit Booted(RamFlash& flash) : log(flash), pending(flash, log, kRegion) {
    status = log.open(kLog);
  }
  RecordLog log;
  PendingUpdate pending;
  Status status;
};

Buffer update_of(std::uint32_t round, std::size_t size = 700) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(round * 41 + i * 3);
  return bytes;
}

// The round whose update is stored whole, 0 if none is; anything else fails the test.
std::uint32_t checked_round(PendingUpdate& pending, std::size_t size = 700) {
  Buffer out(1024);
  const auto info = pending.load(out);
  if (info.status() == Status::kNotFound) return 0;
  EXPECT_EQ(info.status(), Status::kOk);
  if (!info.ok()) return UINT32_MAX;
  out.resize(info->size_bytes);
  EXPECT_EQ(out, update_of(info->round, size));
  EXPECT_EQ(info->base_version, info->round + 100);
  return info->round;
}

TEST(PendingUpdate, SurvivesResetsUntilCleared) {
  for (const std::uint32_t program_unit : {1U, 4U, 8U, 32U}) {
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{31}, std::size_t{32}, std::size_t{700}, std::size_t{1024}}) {
      RamFlash flash({kGeometry.size_bytes, 512, program_unit});
      for (std::uint32_t round = 1; round < 6; ++round) {
        ASSERT_EQ(Booted(flash).pending.store(round, round + 100, update_of(round, size)),
                  Status::kOk);
        Booted device(flash);
        EXPECT_EQ(checked_round(device.pending, size), round);
        EXPECT_EQ(device.pending.info()->size_bytes, size);
        const auto source = device.pending.source();
        ASSERT_TRUE(source.ok());
        Buffer in_place(size);
        EXPECT_EQ(source->read(0, in_place), Status::kOk);
        EXPECT_EQ(in_place, update_of(round, size));
        EXPECT_EQ(device.pending.clear(), Status::kOk);
        EXPECT_EQ(device.pending.info().status(), Status::kNotFound);
        EXPECT_EQ(Booted(flash).pending.info().status(), Status::kNotFound);
      }
      EXPECT_EQ(flash.violation(), "");
    }
  }
}

TEST(PendingUpdate, RefusesBadArgumentsAndChangesNothing) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  Buffer out(1024);
  EXPECT_EQ(device.pending.store(1, 101, {}), Status::kInvalidArgument);
  EXPECT_EQ(device.pending.store(1, 101, Buffer(1025)), Status::kTooLarge);
  EXPECT_EQ(device.pending.erase_step(0).status(), Status::kInvalidArgument);
  EXPECT_EQ(device.pending.erase_step(1025).status(), Status::kTooLarge);
  EXPECT_EQ(device.pending.load(out).status(), Status::kNotFound);
  EXPECT_EQ(device.pending.source().status(), Status::kNotFound);
  EXPECT_EQ(device.pending.clear(), Status::kOk);
  ASSERT_EQ(device.pending.store(1, 101, update_of(1)), Status::kOk);
  EXPECT_EQ(device.pending.store(2, 102, update_of(2)), Status::kBusy);
  EXPECT_EQ(device.pending.erase_step(700).status(), Status::kBusy);
  Buffer small(699, 0xEE);
  EXPECT_EQ(device.pending.load(small).status(), Status::kNoMemory);
  EXPECT_EQ(small, Buffer(699, 0xEE));
  EXPECT_EQ(checked_round(device.pending), 1U);
}

TEST(PendingUpdate, ErasesOneUnitAStepAndNotTwice) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  EXPECT_FALSE(*device.pending.erase_step(700));
  EXPECT_EQ(flash.erase_count(), 1U);
  EXPECT_TRUE(*device.pending.erase_step(700));
  EXPECT_TRUE(*device.pending.erase_step(700));
  ASSERT_EQ(device.pending.store(1, 101, update_of(1)), Status::kOk);
  EXPECT_EQ(flash.erase_count(), 3U) << "two of the region, one of the log";
  ASSERT_EQ(device.pending.clear(), Status::kOk);
  ASSERT_EQ(device.pending.store(2, 102, update_of(2)), Status::kOk);
  EXPECT_EQ(checked_round(device.pending), 2U);
  EXPECT_EQ(flash.violation(), "");
}

TEST(PendingUpdate, SaysWhenTheBytesAreDamaged) {
  RamFlash flash(kGeometry);
  Booted device(flash);
  ASSERT_EQ(device.pending.store(1, 101, update_of(1)), Status::kOk);
  Buffer out(1024);
  for (std::uint32_t bit = 0; bit < 700 * 8; ++bit) {
    flash.flip_bit(kRegion.offset + bit / 8, bit % 8);
    ASSERT_EQ(device.pending.load(out).status(), Status::kBadDigest);
    ASSERT_EQ(device.pending.source().status(), Status::kBadDigest);
    flash.flip_bit(kRegion.offset + bit / 8, bit % 8);
  }
  flash.flip_bit(kRegion.offset, 0);
  EXPECT_EQ(device.pending.clear(), Status::kOk);
  EXPECT_EQ(device.pending.store(2, 102, update_of(2)), Status::kOk);
}

TEST(PendingUpdate, ReportsAFailingFlash) {
  for (std::uint64_t first = 1; first <= 10; ++first) {
    RamFlash flash(kGeometry);
    Booted device(flash);
    flash.fail_from(first);
    ASSERT_EQ(device.pending.store(1, 101, update_of(1)), Status::kStorageFailed) << first;
    EXPECT_EQ(device.pending.info().status(), Status::kNotFound);
    flash.stop_failing();
    ASSERT_EQ(device.pending.store(2, 102, update_of(2)), Status::kOk);
    EXPECT_EQ(checked_round(device.pending), 2U);
    EXPECT_EQ(flash.violation(), "");
  }
}

// store, clear, store, clear …, the power failing at every operation: what store() acknowledged
// is there, what clear() acknowledged is not, and nothing else is ever found.
TEST(PendingUpdatePower, EveryCutKeepsWhatWasAcknowledged) {
  constexpr std::uint32_t kRounds = 4;
  const auto live = [](RamFlash& flash, std::uint32_t& before, std::uint32_t& after) {
    Booted device(flash);
    for (std::uint32_t round = 1; round <= kRounds; ++round) {
      after = round;
      if (device.pending.store(round, round + 100, update_of(round)) != Status::kOk) return;
      before = round;
      after = 0;
      if (device.pending.clear() != Status::kOk) return;
      before = 0;
    }
  };
  RamFlash whole(kGeometry);
  std::uint32_t before = 0;
  std::uint32_t after = 0;
  live(whole, before, after);
  std::uint64_t cases = 0;
  for (std::uint64_t at = 1; at <= whole.operation_count(); ++at) {
    for (const Tear tear : kAllTears) {
      for (std::uint32_t seed = 1; seed <= 6; ++seed) {
        ++cases;
        RamFlash flash(kGeometry);
        flash.schedule({at, tear, seed % 2 == 0, seed});
        before = after = 0;
        live(flash, before, after);
        flash.power_on(seed);
        Booted device(flash);
        ASSERT_EQ(device.status, Status::kOk);
        const std::uint32_t found = checked_round(device.pending);
        ASSERT_TRUE(found == before || found == after)
            << "cut at " << at << ", tear " << static_cast<int>(tear) << ": " << found;
        ASSERT_EQ(device.pending.clear(), Status::kOk);
        ASSERT_EQ(device.pending.store(9, 109, update_of(9)), Status::kOk);
        flash.power_on(seed + 1);
        Booted again(flash);
        ASSERT_EQ(checked_round(again.pending), 9U);
        ASSERT_EQ(flash.violation(), "");
      }
    }
  }
  std::printf("%llu power cuts\n", static_cast<unsigned long long>(cases));
}

}  // namespace
}  // namespace skep::model
