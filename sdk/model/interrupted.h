// For tests: what is left of an installation that the flash or the power does not let end.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <span>

#include "booted.h"

namespace skep::model::test {

/// `install(device, version)` goes from the version that `device` has to that one. The flash fails
/// from each of its operations on: that is reported, the model stays, and the next installation
/// works.
template <typename Install>
void expect_model_kept_by_failing_flash(const Install& install) {
  using core_testing::RamFlash;
  RamFlash whole(kGeometry);
  ASSERT_EQ(Booted(whole).install(TestPackage(1).encoded()), Status::kOk);
  whole.power_on();
  RamFlash counting = whole;
  Booted counted(counting);
  ASSERT_EQ(install(counted, 2), Status::kOk);
  for (std::uint64_t first = 1; first <= counting.operation_count(); ++first) {
    SCOPED_TRACE(first);
    RamFlash flash = whole;
    Booted device(flash);
    flash.fail_from(first);
    ASSERT_EQ(install(device, 2), Status::kStorageFailed);
    EXPECT_EQ(device.checked_version(), 1U);
    flash.stop_failing();
    ASSERT_EQ(install(device, 3), Status::kOk);
    EXPECT_EQ(device.checked_version(), 3U);
    EXPECT_EQ(Booted(flash).checked_version(), 3U);
    EXPECT_EQ(flash.violation(), "");
  }
}

/// `install` as above. Two versions are installed over version 1, with the power failing at every
/// operation, then again at each of the operations `seconds` of the next start and installation.
/// However the flash tears, the old or the new model is there, whole, and the device can go on.
template <typename Install>
void expect_old_or_new_after_every_cut(const Install& install,
                                       std::span<const std::uint64_t> seconds) {
  using core_testing::RamFlash;
  const auto install_two = [&](RamFlash& flash) {
    Booted device(flash);
    std::uint32_t version = 1;
    while (version < 3 && install(device, version + 1) == Status::kOk) ++version;
    return version;
  };
  RamFlash whole(kGeometry);
  ASSERT_EQ(Booted(whole).install(TestPackage(1).encoded()), Status::kOk);
  whole.power_on();
  RamFlash counting = whole;
  ASSERT_EQ(install_two(counting), 3U);
  std::uint64_t cases = 0;
  for (std::uint64_t at = 1; at <= counting.operation_count(); ++at) {
    for (const core_testing::Tear tear : core_testing::kAllTears) {
      for (const bool loses_unsynced : {false, true}) {
        RamFlash cut = whole;
        cut.schedule({at, tear, loses_unsynced, static_cast<std::uint32_t>(at)});
        const std::uint32_t installed = install_two(cut);
        for (const std::uint64_t second : seconds) {
          ++cases;
          SCOPED_TRACE(testing::Message() << "cut at " << at << ", then at " << second << ", tear "
                                          << static_cast<int>(tear));
          RamFlash flash = cut;
          flash.power_on(static_cast<std::uint32_t>(at * second));
          flash.schedule({second, tear, !loses_unsynced, static_cast<std::uint32_t>(second)});
          std::uint32_t found = installed;
          {
            Booted device(flash);
            if (device.status == Status::kOk) {
              found = device.checked_version();
              ASSERT_TRUE(found == installed || found == installed + 1)
                  << found << " after " << installed;
              if (install(device, 7) == Status::kOk) found = 7;
            }
          }
          flash.power_on(static_cast<std::uint32_t>(at + second));
          Booted device(flash);
          ASSERT_EQ(device.status, Status::kOk);
          const std::uint32_t last = device.checked_version();
          ASSERT_TRUE(last == found || last == 7 || (found == installed && last == found + 1))
              << last << " after " << found;
          ASSERT_EQ(install(device, 8), Status::kOk);
          ASSERT_EQ(Booted(flash).checked_version(), 8U);
          ASSERT_EQ(flash.violation(), "");
        }
      }
    }
  }
  std::printf("%llu power cuts\n", static_cast<unsigned long long>(cases));
}

}  // namespace skep::model::test
