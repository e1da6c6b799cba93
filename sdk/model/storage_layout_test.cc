#include "skep/model/storage_layout.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace skep::model {
namespace {

constexpr FlashGeometry kFlash{64 * 1024, 4096, 8};
// A board decides at compile time whether its flash suffices.
static_assert(make_layout(kFlash, 16 * 1024, 4096).ok());
static_assert(make_layout(kFlash, 28 * 1024, 4096).status() == Status::kTooLarge);

TEST(StorageLayout, RegionsOfACommonFlash) {
  const auto layout = make_layout(kFlash, 9000, 700);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout->log.offset, 0U);
  EXPECT_EQ(layout->log.bank_bytes, 4096U);
  EXPECT_EQ(layout->log.bank_count, 2U);
  EXPECT_EQ(layout->slot_a.offset, 8192U);
  EXPECT_EQ(layout->slot_a.size_bytes, 12288U);
  EXPECT_EQ(layout->slot_b.offset, 20480U);
  EXPECT_EQ(layout->pending_update.offset, 32768U);
  EXPECT_EQ(layout->pending_update.size_bytes, 4096U);
  EXPECT_EQ(layout->used_bytes, 36864U);
}

TEST(StorageLayout, RefusesWhatIsNoFlash) {
  EXPECT_EQ(make_layout({65536, 3000, 8}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536, 4096, 3}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536, 4096, 64}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536, 4096, 0}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536, 0, 8}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536 + 1, 4096, 8}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({0, 4096, 8}, 1, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536, 4096, 8}, 0, 1).status(), Status::kInvalidArgument);
  EXPECT_EQ(make_layout({65536, 4096, 8}, 1, 0).status(), Status::kInvalidArgument);
  EXPECT_EQ(layout_bytes({65536, 4096, 8}, UINT32_MAX, UINT32_MAX).status(), Status::kTooLarge);
  EXPECT_EQ(make_layout({65536, 4096, 8}, UINT32_MAX, 1).status(), Status::kTooLarge);
}

RC_GTEST_PROP(StorageLayoutProperty, RegionsAreAlignedDisjointAndLargeEnough, ()) {
  const std::uint32_t unit = 1U << *rc::gen::inRange(5U, 14U);
  const auto package = *rc::gen::inRange(1U, 100'000U);
  const auto update = *rc::gen::inRange(1U, 20'000U);
  const FlashGeometry geometry{unit * *rc::gen::inRange(1U, 4000U), unit, 8};
  const auto layout = make_layout(geometry, package, update);
  const auto needed = layout_bytes(geometry, package, update);
  RC_ASSERT(needed.ok());
  RC_ASSERT(layout.ok() == (*needed <= geometry.size_bytes));
  if (!layout.ok()) return;
  RC_ASSERT(layout->log.bank_bytes >= kLogBankBytes);
  const std::uint32_t log_end = layout->log.offset + layout->log.bank_bytes * kLogBankCount;
  RC_ASSERT(layout->slot_a.offset >= log_end);
  RC_ASSERT(layout->slot_b.offset >= layout->slot_a.offset + layout->slot_a.size_bytes);
  RC_ASSERT(layout->pending_update.offset >= layout->slot_b.offset + layout->slot_b.size_bytes);
  RC_ASSERT(layout->used_bytes ==
            layout->pending_update.offset + layout->pending_update.size_bytes);
  RC_ASSERT(layout->slot_a.size_bytes >= package && layout->slot_b.size_bytes >= package);
  RC_ASSERT(layout->pending_update.size_bytes >= update);
  for (const auto number : {layout->log.bank_bytes, layout->slot_a.offset, layout->slot_b.offset,
                            layout->pending_update.offset, layout->used_bytes}) {
    RC_ASSERT(number % unit == 0);
  }
}

}  // namespace
}  // namespace skep::model
