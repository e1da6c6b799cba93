#include "hadamard.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "testing/deltas.h"

namespace skep::compress {
namespace {

using testing::in_range;

/// H[i][j] = (−1)^(number of bits that i and j share).
std::vector<std::int64_t> by_definition(const std::vector<std::int16_t>& values) {
  std::vector<std::int64_t> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) {
      result[i] += std::popcount(i & j) % 2 == 0 ? values[j] : -values[j];
    }
  }
  return result;
}

std::vector<std::int16_t> any_vector() {
  const auto size = std::size_t{1} << *in_range(0, 9);
  return *rc::gen::container<std::vector<std::int16_t>>(size, testing::any_value());
}

RC_GTEST_PROP(Hadamard, ExactTransformIsTheDefinition, ()) {
  const auto values = any_vector();
  std::vector<std::int32_t> transformed(values.begin(), values.end());
  transform_exactly(transformed);
  RC_ASSERT(std::ranges::equal(transformed, by_definition(values)));
}

// A stage that halves is wrong by at most a half in its own unit, and a later stage that does not
// halve doubles that: at worst all h halvings come first, and with log2(n) = l stages the error is
// h / 2 * 2^(l − h) in the result's unit 2^h.
RC_GTEST_PROP(Hadamard, Int16IsExactUpToItsHalvings, ()) {
  auto values = any_vector();
  const auto exact = by_definition(values);
  const int halvings = transform_int16(values);
  const auto size = static_cast<std::int64_t>(values.size());
  RC_ASSERT((std::int64_t{1} << halvings) <= size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t value = values[i] * (std::int64_t{1} << halvings);
    RC_ASSERT(2 * std::abs(value - exact[i]) <= halvings * size);
  }
}

TEST(Hadamard, ExtremesDoNotOverflow) {
  for (const std::int16_t extreme : {std::int16_t{INT16_MIN}, std::int16_t{INT16_MAX}}) {
    std::vector<std::int16_t> values(4096, extreme);
    EXPECT_EQ(transform_int16(values), 12);
    EXPECT_EQ(values[0], extreme);
    EXPECT_TRUE(std::ranges::all_of(std::span(values).subspan(1), [](int v) { return v == 0; }));
  }
}

TEST(Hadamard, SmallValuesAreNotHalved) {
  std::vector<std::int16_t> values(16, 1000);
  EXPECT_EQ(transform_int16(values), 0);
  EXPECT_EQ(values[0], 16000);
}

}  // namespace
}  // namespace skep::compress
