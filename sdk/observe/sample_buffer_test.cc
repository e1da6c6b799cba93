#include "skep/observe/sample_buffer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

namespace skep::observe {
namespace {

// A sample that says which one it is.
std::vector<std::int16_t> numbered(std::uint32_t number) {
  return {static_cast<std::int16_t>(number & 0x7FFFU), static_cast<std::int16_t>(number >> 15U)};
}

std::vector<std::uint32_t> numbers_in(SampleBuffer& buffer) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < buffer.count(); ++i) {
    std::vector<std::int16_t> features(2);
    std::uint16_t label = 0;
    EXPECT_EQ(buffer.read(i, features, label), Status::kOk);
    const auto number =
        static_cast<std::uint32_t>(features[0]) | (static_cast<std::uint32_t>(features[1]) << 15U);
    EXPECT_EQ(label, number % 5) << "a label stays with its features";
    numbers.push_back(number);
  }
  return numbers;
}

class Filled {
 public:
  Filled(std::size_t words, BufferOptions options, std::uint32_t samples) : memory_(words) {
    options.feature_count = 2;
    options.label_count = 5;
    buffer.emplace(memory_, options);
    for (std::uint32_t i = 0; i < samples; ++i) {
      EXPECT_TRUE(buffer->add(numbered(i), static_cast<std::uint16_t>(i % 5)).ok());
    }
  }

 private:
  std::vector<std::int16_t> memory_;

 public:
  std::optional<SampleBuffer> buffer;
};

TEST(SampleBuffer, HoldsAsManyAsFit) {
  EXPECT_EQ(Filled(3 * 10 + 2, {}, 0).buffer->capacity(), 10U);
  Filled filled(3 * 10 + 2, {}, 10);
  EXPECT_EQ(numbers_in(*filled.buffer), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

RC_GTEST_PROP(SampleBuffer, ARingHoldsTheNewest, ()) {
  const auto capacity = *rc::gen::inRange(1U, 20U);
  const auto samples = *rc::gen::inRange(0U, 100U);
  Filled filled(3 * capacity, {.replacement = Replacement::kRing}, samples);
  std::set<std::uint32_t> expected;
  for (std::uint32_t i = samples - std::min(samples, capacity); i < samples; ++i)
    expected.insert(i);
  const std::vector<std::uint32_t> numbers = numbers_in(*filled.buffer);
  RC_ASSERT(numbers.size() == expected.size());
  RC_ASSERT((std::set<std::uint32_t>(numbers.begin(), numbers.end()) == expected));
}

RC_GTEST_PROP(SampleBuffer, AReservoirHoldsDifferentOnesOfAll, ()) {
  const auto capacity = *rc::gen::inRange(1U, 20U);
  const auto samples = *rc::gen::inRange(0U, 200U);
  Filled filled(3 * capacity, {.seed = *rc::gen::arbitrary<std::uint32_t>()}, samples);
  const std::vector<std::uint32_t> numbers = numbers_in(*filled.buffer);
  const std::set<std::uint32_t> different(numbers.begin(), numbers.end());
  RC_ASSERT(different.size() == std::min(samples, capacity));
  if (!different.empty()) RC_ASSERT(*different.rbegin() < samples);
}

// Each of n samples stays with probability c / n. Over R independent runs the number of runs in
// which the samples of one tenth stay is binomial-like with mean R c / 10 and a variance below
// that of independent choices, R c / 10; six deviations make a false alarm a one in 10^8 event,
// and the seeds are fixed: the test gives the same answer for ever.
TEST(SampleBuffer, AReservoirIsUniform) {
  constexpr std::uint32_t kRuns = 2000;
  constexpr std::uint32_t kCapacity = 8;
  constexpr std::uint32_t kSamples = 200;
  std::vector<double> kept(10);
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    Filled filled(3 * kCapacity, {.seed = mix_seed(run, 7)}, kSamples);
    for (const std::uint32_t number : numbers_in(*filled.buffer)) ++kept[number / (kSamples / 10)];
  }
  const double mean = kRuns * kCapacity / 10.0;
  for (const double tenth : kept) EXPECT_NEAR(tenth, mean, 6 * std::sqrt(mean));
}

// With a horizon h the k-th last of many stays with probability c/h (1 - 1/h)^k.
TEST(SampleBuffer, AHorizonForgets) {
  constexpr std::uint32_t kRuns = 2000;
  constexpr std::uint32_t kCapacity = 8;
  constexpr std::uint32_t kHorizon = 50;
  constexpr std::uint32_t kSamples = 1000;
  double newer_than_horizon = 0;
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    Filled filled(3 * kCapacity, {.horizon = kHorizon, .seed = mix_seed(run, 8)}, kSamples);
    for (const std::uint32_t number : numbers_in(*filled.buffer)) {
      newer_than_horizon += number >= kSamples - kHorizon ? 1 : 0;
    }
  }
  const double total = kRuns * kCapacity;
  const double expected = total * (1 - std::pow(1 - 1.0 / kHorizon, kHorizon));
  EXPECT_NEAR(newer_than_horizon, expected, 6 * std::sqrt(total / 4));
}

TEST(SampleBuffer, SaysWhetherASampleStayed) {
  Filled filled(3, {}, 1);
  bool has_replaced = false;
  for (std::uint32_t i = 1; i < 50; ++i) {
    const Result<bool> is_in = filled.buffer->add(numbered(i), static_cast<std::uint16_t>(i % 5));
    ASSERT_TRUE(is_in.ok());
    EXPECT_EQ(*is_in, numbers_in(*filled.buffer)[0] == i);
    has_replaced = has_replaced || *is_in;
  }
  EXPECT_TRUE(has_replaced);
  EXPECT_EQ(filled.buffer->added(), 50U);
}

TEST(SampleBuffer, ForgetsOnDemand) {
  Filled filled(3 * 4, {}, 9);
  filled.buffer->clear();
  EXPECT_EQ(filled.buffer->count(), 0U);
  EXPECT_TRUE(*filled.buffer->add(numbered(3), 3));
  EXPECT_EQ(numbers_in(*filled.buffer), (std::vector<std::uint32_t>{3}));
}

TEST(SampleBuffer, RefusesBadSamplesAndChangesNothing) {
  Filled filled(3 * 2, {}, 1);
  SampleBuffer& buffer = *filled.buffer;
  EXPECT_EQ(buffer.add(std::vector<std::int16_t>{1}, 0).status(), Status::kInvalidArgument);
  EXPECT_EQ(buffer.add(std::vector<std::int16_t>{1, 2, 3}, 0).status(), Status::kInvalidArgument);
  EXPECT_EQ(buffer.add({}, 0).status(), Status::kInvalidArgument);
  EXPECT_EQ(buffer.add(numbered(1), 5).status(), Status::kInvalidArgument);
  EXPECT_EQ(buffer.added(), 1U);
  EXPECT_EQ(numbers_in(buffer), (std::vector<std::uint32_t>{0}));
  std::vector<std::int16_t> features{8, 9};
  std::uint16_t label = 7;
  EXPECT_EQ(buffer.read(1, features, label), Status::kInvalidArgument);
  EXPECT_EQ(buffer.read(0, std::span(features).first(1), label), Status::kInvalidArgument);
  EXPECT_EQ(features, (std::vector<std::int16_t>{8, 9}));
  EXPECT_EQ(label, 7);
}

TEST(SampleBuffer, NeedsMemoryForASample) {
  std::vector<std::int16_t> memory(2);
  SampleBuffer small(memory, {.feature_count = 2});
  EXPECT_EQ(small.add(numbered(0), 0).status(), Status::kNoMemory);
  SampleBuffer nothing(memory, {});
  EXPECT_EQ(nothing.capacity(), 0U);
  EXPECT_EQ(nothing.add({}, 0).status(), Status::kInvalidArgument);
}

TEST(SampleBuffer, TakesTheLargestLabel) {
  std::vector<std::int16_t> memory(2);
  SampleBuffer buffer(memory, {.feature_count = 1, .label_count = 65535});
  ASSERT_TRUE(buffer.add(std::vector<std::int16_t>{INT16_MIN}, 65534).ok());
  std::int16_t feature = 0;
  std::uint16_t label = 0;
  ASSERT_EQ(buffer.read(0, std::span(&feature, 1), label), Status::kOk);
  EXPECT_EQ(feature, INT16_MIN);
  EXPECT_EQ(label, 65534);
}

}  // namespace
}  // namespace skep::observe
