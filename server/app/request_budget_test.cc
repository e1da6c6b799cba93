#include "request_budget.h"

#include <gtest/gtest.h>

namespace skep::app {
namespace {

TEST(RequestBudget, ServesABurstOfAMinuteThenTheMeanRate) {
  RequestBudget budget(120);
  for (int i = 0; i < 120; ++i) ASSERT_EQ(budget.spend("bee", 1'000), 0U) << i;
  EXPECT_EQ(budget.spend("bee", 1'000), 1U);
  // Two a second from here on, however long it goes.
  for (std::int64_t now_s = 1'001; now_s < 1'100; ++now_s) {
    EXPECT_EQ(budget.spend("bee", now_s), 0U);
    EXPECT_EQ(budget.spend("bee", now_s), 0U);
    EXPECT_EQ(budget.spend("bee", now_s), 1U);
  }
}

TEST(RequestBudget, SaysWhenThereWillBeARequestToTheSecond) {
  RequestBudget budget(7);  // one in 8.57 s
  for (int i = 0; i < 7; ++i) ASSERT_EQ(budget.spend("bee", 0), 0U);
  const std::uint32_t wait_s = budget.spend("bee", 0);
  EXPECT_EQ(wait_s, 9U);
  EXPECT_NE(budget.spend("bee", wait_s - 1), 0U);
  EXPECT_EQ(budget.spend("bee", wait_s), 0U);
}

TEST(RequestBudget, IsOfEachDevice) {
  RequestBudget budget(1);
  EXPECT_EQ(budget.spend("bee", 0), 0U);
  EXPECT_EQ(budget.spend("wasp", 0), 0U);
  EXPECT_EQ(budget.spend("bee", 0), 60U);
}

TEST(RequestBudget, ForgetsWhoIsQuietAndNothingElse) {
  RequestBudget budget(60);
  EXPECT_EQ(budget.spend("bee", 0), 0U);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(budget.spend("wasp", 0), 0U);
  budget.expire(1);
  EXPECT_EQ(budget.devices(), 1U);
  budget.expire(59);
  EXPECT_EQ(budget.devices(), 1U);
  budget.expire(60);
  EXPECT_EQ(budget.devices(), 0U);
}

TEST(RequestBudget, CanBeOff) {
  RequestBudget budget(0);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(budget.spend("bee", 0), 0U);
  EXPECT_EQ(budget.devices(), 0U);
}

}  // namespace
}  // namespace skep::app
