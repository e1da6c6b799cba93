#include "skep/round/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "skep/round_testing/fakes.h"

namespace skep::round {
namespace {

using round_testing::FakeEntropy;

TEST(Backoff, StaysInTheUpperHalfOfADoublingRange) {
  FakeEntropy entropy;
  Backoff backoff({.first_ms = 100, .longest_ms = 1'000}, entropy);
  for (const std::uint32_t ceiling_ms : {100U, 200U, 400U, 800U, 1'000U, 1'000U, 1'000U}) {
    const std::uint32_t delay_ms = backoff.next_ms();
    EXPECT_LE(delay_ms, ceiling_ms);
    EXPECT_GE(delay_ms, ceiling_ms / 2U);
  }
}

TEST(Backoff, ResetStartsOver) {
  FakeEntropy entropy;
  Backoff backoff({.first_ms = 100, .longest_ms = 1'000'000}, entropy);
  for (int i = 0; i < 10; ++i) (void)backoff.next_ms();
  backoff.reset();
  EXPECT_LE(backoff.next_ms(), 100U);
}

TEST(Backoff, JitterSpreadsDevices) {
  FakeEntropy entropy;
  std::set<std::uint32_t> delays;
  for (int device = 0; device < 100; ++device) {
    delays.insert(Backoff({.first_ms = 10'000, .longest_ms = 20'000}, entropy).next_ms());
  }
  EXPECT_GT(delays.size(), 90U);
}

TEST(Backoff, WaitsTheCeilingWithoutEntropy) {
  FakeEntropy entropy;
  entropy.broken = true;
  Backoff backoff({.first_ms = 100, .longest_ms = 1'000}, entropy);
  EXPECT_EQ(backoff.next_ms(), 100U);
  EXPECT_EQ(backoff.next_ms(), 200U);
}

TEST(Backoff, NeverOverflows) {
  FakeEntropy entropy;
  Backoff backoff({.first_ms = 2, .longest_ms = UINT32_MAX}, entropy);
  std::uint32_t longest_ms = 0;
  for (int i = 0; i < 64; ++i) longest_ms = std::max(longest_ms, backoff.next_ms());
  EXPECT_GE(longest_ms, UINT32_MAX / 2U);
}

}  // namespace
}  // namespace skep::round
