#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "skep/port_host/system_clock.h"
#include "skep/port_host/system_entropy.h"

namespace skep::port_host {
namespace {

TEST(SystemClock, NeverGoesBackwardsAndMoves) {
  SystemClock clock;
  const std::uint64_t first = clock.now_ms();
  std::uint64_t last = first;
  while (last == first) {
    const std::uint64_t now = clock.now_ms();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemEntropy, FillsAllOfItDifferentlyEachTime) {
  SystemEntropy entropy;
  for (const std::size_t size : {std::size_t{0}, std::size_t{32}, std::size_t{100'000}}) {
    std::vector<std::uint8_t> first(size);
    std::vector<std::uint8_t> second(size);
    ASSERT_EQ(entropy.fill(first), Status::kOk);
    ASSERT_EQ(entropy.fill(second), Status::kOk);
    EXPECT_EQ(first == second, size == 0);
    if (size < 32) continue;
    // 32 random bytes are all zero once in 2^256 times.
    EXPECT_TRUE(std::any_of(first.end() - 32, first.end(), [](auto byte) { return byte != 0; }));
  }
}

}  // namespace
}  // namespace skep::port_host
