#include "skep/port_baremetal/flash_storage.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "skep/core/record_log.h"
#include "skep/core_testing/ram_flash.h"

namespace skep::port_baremetal {
namespace {

using core_testing::kAllTears;
using core_testing::PowerCut;
using core_testing::RamFlash;
using core_testing::Tear;

// A controller with the defects that a test asks for; it knows how often each unit was erased.
class TestFlash final : public RawFlash {
 public:
  explicit TestFlash(const FlashGeometry& geometry)
      : cells(geometry), erases(geometry.size_bytes / geometry.erase_unit_bytes) {}

  [[nodiscard]] FlashGeometry geometry() const override { return cells.geometry(); }
  Status read(std::uint32_t offset, MutableBytes out) override {
    const bool fails =
        unreadable.has_value() && offset <= *unreadable && *unreadable - offset < out.size();
    return fails ? Status::kStorageFailed : cells.read(offset, out);
  }
  Status program(std::uint32_t offset, Bytes data) override {
    if (offset >= first_unprogrammable) return Status::kStorageFailed;
    return cells.program(offset, data);
  }
  Status erase_unit(std::uint32_t offset) override {
    const std::uint32_t unit = cells.geometry().erase_unit_bytes;
    SKEP_TRY(cells.erase(offset, unit));
    ++erases[offset / unit];
    if (stuck_bit_after_erase) cells.flip_bit(offset + unit - 1, 3);
    return Status::kOk;
  }

  RamFlash cells;
  std::vector<std::uint32_t> erases;
  std::optional<std::uint32_t> unreadable;
  std::uint32_t first_unprogrammable = UINT32_MAX;
  bool stuck_bit_after_erase = false;
};

struct Booted {
  explicit Booted(TestFlash& flash) : counts(flash.erases.size(), 77), storage(flash, counts) {
    status = storage.open();
  }
  std::vector<std::uint32_t> counts;
  FlashStorage storage;
  Status status;
};

constexpr std::uint32_t kUnit = 512;
constexpr std::uint32_t kUnits = 12;

FlashGeometry geometry_with(std::uint32_t program_unit) {
  return {
      .size_bytes = kUnits * kUnit, .erase_unit_bytes = kUnit, .program_unit_bytes = program_unit};
}

// The program units of common microcontrollers: 4 (nRF52), 8 (STM32L4), 16 and 32 (H7).
class FlashStorageOn : public testing::TestWithParam<std::uint32_t> {
 protected:
  TestFlash flash_{geometry_with(GetParam())};
};

TEST_P(FlashStorageOn, OffersWhatTheWearLogLeaves) {
  Booted device(flash_);
  ASSERT_EQ(device.status, Status::kOk);
  const FlashGeometry geometry = device.storage.geometry();
  EXPECT_EQ(geometry.erase_unit_bytes, kUnit);
  EXPECT_EQ(geometry.program_unit_bytes, GetParam());
  EXPECT_EQ(geometry.size_bytes, (kUnits - WearLog::units_for(flash_.geometry())) * kUnit);
  EXPECT_GE(geometry.size_bytes, 6 * kUnit);
  EXPECT_TRUE(device.storage.health().is_complete);
  EXPECT_EQ(device.storage.health().all_erases, 0U);
}

TEST_P(FlashStorageOn, ChecksArguments) {
  Booted device(flash_);
  FlashStorage& storage = device.storage;
  const std::uint32_t size = storage.geometry().size_bytes;
  std::array<std::uint8_t, 64> bytes{};
  EXPECT_EQ(storage.read(size - 63, bytes), Status::kInvalidArgument);
  EXPECT_EQ(storage.read(UINT32_MAX, bytes), Status::kInvalidArgument);
  EXPECT_EQ(storage.program(size, bytes), Status::kInvalidArgument);
  EXPECT_EQ(storage.program(GetParam() / 2, bytes), Status::kInvalidArgument);
  EXPECT_EQ(storage.program(0, Bytes(bytes).first(GetParam() - 1)), Status::kInvalidArgument);
  EXPECT_EQ(storage.erase(size, kUnit), Status::kInvalidArgument) << "the wear log's own";
  EXPECT_EQ(storage.erase(0, kUnit / 2), Status::kInvalidArgument);
  EXPECT_EQ(storage.erase(kUnit / 2, kUnit), Status::kInvalidArgument);
  EXPECT_EQ(flash_.cells.operation_count(), 0U);
  EXPECT_EQ(storage.health().read_errors + storage.health().program_errors +
                storage.health().erase_errors,
            0U);
}

TEST_P(FlashStorageOn, CountsEveryEraseOverResets) {
  std::mt19937 random(GetParam());
  for (int boot = 0; boot < 40; ++boot) {
    Booted device(flash_);
    ASSERT_EQ(device.counts, flash_.erases) << "boot " << boot;
    const std::uint32_t units = device.storage.geometry().size_bytes / kUnit;
    for (auto left = random() % 40; left > 0; --left) {
      const auto unit = static_cast<std::uint32_t>(random() % units);
      ASSERT_EQ(device.storage.erase(unit * kUnit, kUnit), Status::kOk);
      ASSERT_EQ(device.counts, flash_.erases);
    }
    ASSERT_TRUE(device.storage.health().is_complete);
  }
  EXPECT_EQ(flash_.cells.violation(), "");
  Booted device(flash_);
  const FlashHealth health = device.storage.health();
  EXPECT_EQ(health.all_erases, flash_.cells.erase_count());
  EXPECT_GT(health.most_erases, 0U);
  EXPECT_LE(health.fewest_erases, health.most_erases);
}

TEST_P(FlashStorageOn, CarriesTheSdksLog) {
  constexpr LogRegion kLog{.offset = 0, .bank_bytes = 2 * kUnit, .bank_count = 2};
  for (std::uint8_t boot = 1; boot < 30; ++boot) {
    Booted device(flash_);
    RecordLog log(device.storage);
    ASSERT_EQ(log.open(kLog), Status::kOk);
    std::array<std::uint8_t, 20> value{};
    if (boot > 1) {
      ASSERT_TRUE(log.get(3, value).ok());
      ASSERT_EQ(value[7], boot - 1);
    }
    value.fill(boot);
    ASSERT_EQ(log.put(3, value), Status::kOk);
  }
  EXPECT_EQ(flash_.cells.violation(), "");
}

INSTANTIATE_TEST_SUITE_P(ProgramUnits, FlashStorageOn, testing::Values(4U, 8U, 16U, 32U));

TEST(FlashStorage, RefusesWhatIsNoFlash) {
  const auto opened = [](const FlashGeometry& geometry, std::size_t counts) {
    TestFlash flash(geometry);
    std::vector<std::uint32_t> memory(counts);
    return FlashStorage(flash, memory).open();
  };
  EXPECT_EQ(opened({8192, 512, 4}, 16), Status::kOk);
  EXPECT_EQ(opened({8192, 512, 4}, 15), Status::kInvalidArgument);
  EXPECT_EQ(opened({8192, 512, 2}, 16), Status::kInvalidArgument);
  EXPECT_EQ(opened({8192, 512, 64}, 16), Status::kInvalidArgument);
  EXPECT_EQ(opened({8192, 128, 4}, 64), Status::kInvalidArgument);
  EXPECT_EQ(opened({1024, 512, 4}, 2), Status::kInvalidArgument) << "no room beside the log";
}

TEST(FlashStorage, ReportsAnEraseThatDidNotTake) {
  TestFlash flash(geometry_with(4));
  Booted device(flash);
  flash.stuck_bit_after_erase = true;
  EXPECT_EQ(device.storage.erase(0, 2 * kUnit), Status::kStorageFailed);
  EXPECT_EQ(device.storage.health().erase_errors, 1U);
  EXPECT_EQ(device.counts[0], 1U);
  EXPECT_EQ(device.counts[1], 0U) << "it stops at the first";
}

TEST(FlashStorage, ReportsReadAndProgramErrors) {
  TestFlash flash(geometry_with(4));
  Booted device(flash);
  std::array<std::uint8_t, 16> bytes{};
  flash.unreadable = 100;
  EXPECT_EQ(device.storage.read(96, bytes), Status::kStorageFailed);
  EXPECT_EQ(device.storage.read(112, bytes), Status::kOk);
  flash.first_unprogrammable = 0;
  EXPECT_EQ(device.storage.program(0, bytes), Status::kStorageFailed);
  EXPECT_EQ(device.storage.health().read_errors, 1U);
  EXPECT_EQ(device.storage.health().program_errors, 1U);
}

TEST(FlashStorage, OutlivesItsWearLog) {
  TestFlash flash(geometry_with(4));
  {
    Booted device(flash);
    ASSERT_EQ(device.storage.erase(0, kUnit), Status::kOk);
    flash.first_unprogrammable = device.storage.geometry().size_bytes;
    for (int i = 0; i < 10; ++i) ASSERT_EQ(device.storage.erase(kUnit, kUnit), Status::kOk);
    EXPECT_FALSE(device.storage.health().is_complete);
    EXPECT_EQ(device.counts, flash.erases) << "as long as the device is up";
    EXPECT_LE(flash.erases[kUnits - 1], 1U) << "a bad unit is left alone";
  }
  Booted device(flash);
  EXPECT_EQ(device.status, Status::kOk);
  ASSERT_EQ(device.storage.erase(0, kUnit), Status::kOk);
}

TEST(FlashStorage, SaysThatCountsWereLost) {
  TestFlash flash(geometry_with(4));
  {
    Booted device(flash);
    ASSERT_EQ(device.storage.erase(0, kUnit), Status::kOk);
    flash.cells.flip_bit(device.storage.geometry().size_bytes + 5, 2);  // in the one header
  }
  {
    Booted device(flash);
    EXPECT_FALSE(device.storage.health().is_complete);
    EXPECT_EQ(device.counts[0], 0U);
    ASSERT_EQ(device.storage.erase(kUnit, kUnit), Status::kOk);
  }
  Booted device(flash);
  EXPECT_FALSE(device.storage.health().is_complete) << "that is remembered";
  EXPECT_EQ(device.counts[1], 1U) << "and counting goes on";
}

// The counts of data units are then off by one at most, and no byte is programmed twice.
void erase_through_a_cut(TestFlash& flash, const PowerCut& cut, int erases) {
  {
    Booted device(flash);
    flash.cells.schedule(cut);
    for (int i = 0; flash.cells.is_powered() && i < erases; ++i) {
      (void)device.storage.erase(static_cast<std::uint32_t>(i % 3) * kUnit, kUnit);
    }
  }
  flash.cells.power_on(cut.seed);
  Booted device(flash);
  ASSERT_EQ(device.status, Status::kOk);
  for (std::uint32_t unit = 0; unit < 3; ++unit) {
    ASSERT_LE(flash.erases[unit], device.counts[unit] + 1);
    ASSERT_LE(device.counts[unit], flash.erases[unit] + 1);
  }
  const std::vector<std::uint32_t> found = device.counts;
  ASSERT_EQ(device.storage.erase(4 * kUnit, kUnit), Status::kOk);
  Booted again(flash);
  ASSERT_EQ(again.counts[4], found[4] + 1);
  ASSERT_EQ(again.counts[0], found[0]);
  ASSERT_EQ(flash.cells.violation(), "");
}

TEST(FlashStoragePower, EveryCutKeepsTheCounts) {
  constexpr int kErases = 60;  // enough to fill a bank
  TestFlash prepared(geometry_with(8));
  {
    Booted device(prepared);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(device.storage.erase(0, kUnit), Status::kOk);
  }
  TestFlash whole = prepared;
  Booted device(whole);
  whole.cells.schedule({UINT64_MAX, Tear::kNothing});
  for (int i = 0; i < kErases; ++i) ASSERT_EQ(device.storage.erase(0, kUnit), Status::kOk);
  const std::uint64_t operations = whole.cells.operation_count();
  ASSERT_GE(whole.erases[kUnits - 1] + whole.erases[kUnits - 2], 3U) << "banks are changed in it";
  for (std::uint64_t at = 1; at <= operations; ++at) {
    for (const Tear tear : kAllTears) {
      SCOPED_TRACE(testing::Message() << "operation " << at << ", tear " << static_cast<int>(tear));
      TestFlash flash = prepared;
      erase_through_a_cut(flash, {at, tear, false, static_cast<std::uint32_t>(at)}, kErases);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace skep::port_baremetal
