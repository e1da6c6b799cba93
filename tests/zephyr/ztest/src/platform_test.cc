// Clock and entropy of the port.
#include <zephyr/kernel.h>
#include <zephyr/ztest.h>

#include <algorithm>
#include <array>

#include "skep/port_zephyr/csprng_entropy.h"
#include "skep/port_zephyr/uptime_clock.h"

namespace skep::port_zephyr {
namespace {

ZTEST(platform, test_clock_counts_milliseconds) {
  UptimeClock clock;
  const std::uint64_t before = clock.now_ms();
  k_msleep(250);
  const std::uint64_t passed = clock.now_ms() - before;
  zassert_true(passed >= 250 && passed < 1000, "%u ms", static_cast<unsigned>(passed));
}

ZTEST(platform, test_entropy_fills_all_of_it_differently_each_time) {
  CsprngEntropy entropy;
  std::array<std::uint8_t, 300> first{};
  std::array<std::uint8_t, 300> second{};
  zassert_equal(entropy.fill(first), Status::kOk);
  zassert_equal(entropy.fill(second), Status::kOk);
  zassert_true(first != second);
  // 32 random bytes are all zero once in 2^256 times.
  zassert_true(std::any_of(first.end() - 32, first.end(), [](auto byte) { return byte != 0; }));
  zassert_equal(entropy.fill({}), Status::kOk);
}

}  // namespace

ZTEST_SUITE(platform, nullptr, nullptr, nullptr, nullptr, nullptr);

}  // namespace skep::port_zephyr
