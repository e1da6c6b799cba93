#include "skep/observe/feature_scaler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "skep/core/prng.h"

namespace skep::observe {
namespace {

// Exact but for the rounding of an 80-bit float: what the header's bounds are about.
struct ReferenceMoments {
  long double mean = 0;
  long double variance = 0;
  std::uint32_t count = 0;

  void learn(std::int32_t reading, std::uint32_t memory) {
    count = std::min(count + 1, memory);
    const long double before = reading - mean;
    mean += before / count;
    variance += (before * (reading - mean) - variance) / count;
  }
};

struct Bounds {
  long double mean;
  long double variance;
};

// feature_scaler.h, with what the reference itself may be off by.
Bounds bounds(const std::vector<std::int32_t>& readings, std::uint16_t memory) {
  const auto [low, high] = std::ranges::minmax(readings);
  const long double range = static_cast<long double>(high) - low;
  const long double mean = memory * 0x1p-25L;
  const long double h = mean + 0x1p-9L;
  const long double largest =
      std::max(std::fabs(static_cast<long double>(low)), std::fabs(static_cast<long double>(high)));
  const long double reference = static_cast<long double>(memory) * 0x1p-62L;
  return {mean + largest * reference,
          2 * h * range + h * h + memory * 0x1p-17L + range * range * reference};
}

std::int32_t random_reading() {
  const auto width = *rc::gen::inRange(1, 24);
  return *rc::gen::inRange(-(1 << (width - 1)), 1 << (width - 1));
}

void check_stream(const std::vector<std::int32_t>& readings, const ScalerOptions& options) {
  std::vector<ChannelMoments> moments(1);
  FeatureScaler scaler(moments, options);
  ReferenceMoments reference;
  for (const std::int32_t reading : readings) {
    RC_ASSERT(scaler.learn(std::span(&reading, 1)) == Status::kOk);
    reference.learn(reading, options.memory);
  }
  const Bounds bound = bounds(readings, options.memory);
  const long double mean = std::ldexp(static_cast<long double>(moments[0].mean_q24), -24);
  const long double variance = std::ldexp(static_cast<long double>(moments[0].variance_q16), -16);
  RC_ASSERT(std::fabs(mean - reference.mean) <= bound.mean);
  RC_ASSERT(std::fabs(variance - reference.variance) <= bound.variance);
}

RC_GTEST_PROP(FeatureScaler, KeepsItsBoundsOnAnyReadings, ()) {
  const auto readings = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::int32_t>>(rc::gen::exec(random_reading)));
  const auto memory = *rc::gen::inRange<std::uint16_t>(2, 64);
  check_stream(readings, {.memory = memory, .adaptation = Adaptation::kForget});
}

// Long streams, where roundings have time to add up: a level, noise around it, and jumps.
RC_GTEST_PROP(FeatureScaler, KeepsItsBoundsOnLongStreams, ()) {
  Xorshift32 random(*rc::gen::arbitrary<std::uint32_t>());
  const auto noise_bits = *rc::gen::inRange(0U, 20U);
  const auto memory = *rc::gen::element<std::uint16_t>(2, 100, 4096, 32767, 32768);
  std::vector<std::int32_t> readings;
  std::int32_t level = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random.next() % 4096 == 0) level = static_cast<std::int32_t>(random.next() % 8'000'000);
    const auto noise = static_cast<std::int32_t>(random.next() >> 1U & ((1U << noise_bits) - 1));
    readings.push_back(std::min(level + noise, kMaxReading));
  }
  check_stream(readings, {.memory = memory, .adaptation = Adaptation::kForget});
}

TEST(FeatureScaler, TakesTheLargestDifferences) {
  std::vector<std::int32_t> readings;
  for (int i = 0; i < 5000; ++i) readings.push_back(i % 2 == 0 ? kMinReading : kMaxReading);
  for (const std::uint32_t memory_frames : {2U, 3U, 1000U, 32768U}) {
    const auto memory = static_cast<std::uint16_t>(memory_frames);
    std::vector<ChannelMoments> moments(1);
    FeatureScaler scaler(moments, {.memory = memory, .adaptation = Adaptation::kForget});
    ReferenceMoments reference;
    for (const std::int32_t& reading : readings) {
      ASSERT_EQ(scaler.learn(std::span(&reading, 1)), Status::kOk);
      reference.learn(reading, memory);
    }
    const Bounds bound = bounds(readings, memory);
    EXPECT_LE(
        std::fabs(std::ldexp(static_cast<long double>(moments[0].mean_q24), -24) - reference.mean),
        bound.mean);
    EXPECT_LE(std::fabs(std::ldexp(static_cast<long double>(moments[0].variance_q16), -16) -
                        reference.variance),
              bound.variance);
  }
}

// A scaler whose statistics are those, by way of restore().
FeatureScaler ready_scaler(std::vector<ChannelMoments>& memory, const ChannelMoments& moments,
                           std::int8_t exponent) {
  const ScalerOptions options{.memory = 2, .output_exponent = exponent};
  std::vector<ChannelMoments> source_memory(1);
  FeatureScaler source(source_memory, options);
  const std::int32_t zero = 0;
  EXPECT_EQ(source.learn(std::span(&zero, 1)), Status::kOk);
  EXPECT_EQ(source.learn(std::span(&zero, 1)), Status::kOk);
  source_memory[0] = moments;
  std::vector<std::uint8_t> state(source.state_bytes());
  EXPECT_EQ(source.save(state), Status::kOk);
  FeatureScaler scaler(memory, options);
  EXPECT_EQ(scaler.restore(state), Status::kOk);
  return scaler;
}

RC_GTEST_PROP(FeatureScaler, FeatureIsTheStandardScoreToHalfAStep, ()) {
  const ChannelMoments moments{
      .mean_q24 = std::int64_t{random_reading()} * (1 << 24) + *rc::gen::inRange(0, 1 << 24) / 2,
      .variance_q16 = *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(1U, 64U)};
  const std::int32_t reading = random_reading();
  const auto exponent = *rc::gen::inRange<std::int8_t>(-15, 1);
  std::vector<ChannelMoments> memory(1);
  const FeatureScaler scaler = ready_scaler(memory, moments, exponent);
  std::int16_t feature = 0;
  RC_ASSERT(scaler.scale(std::span(&reading, 1), std::span(&feature, 1)) == Status::kOk);

  const long double variance =
      std::max<long double>(static_cast<long double>(moments.variance_q16), 65536 / 12);
  const long double score =
      (reading - std::ldexp(static_cast<long double>(moments.mean_q24), -24)) /
      std::sqrt(std::ldexp(variance, -16));
  const long double exact = std::clamp(std::ldexp(score, -exponent), -32767.0L, 32767.0L);
  RC_ASSERT(std::fabs(feature - exact) <= 0.5L + 0x1p-16L);
}

TEST(FeatureScaler, AConstantChannelGivesZeroAndItsFirstChangeIsBounded) {
  std::vector<ChannelMoments> moments(2);
  FeatureScaler scaler(moments, {.memory = 100, .output_exponent = -12});
  const std::vector<std::int32_t> frame{4711, kMinReading};
  for (int i = 0; i < 100; ++i) ASSERT_EQ(scaler.learn(frame), Status::kOk);
  EXPECT_EQ(moments[0].variance_q16, 0U);
  std::vector<std::int16_t> features(2);
  ASSERT_EQ(scaler.scale(frame, features), Status::kOk);
  EXPECT_EQ(features, (std::vector<std::int16_t>{0, 0}));
  ASSERT_EQ(scaler.scale(std::vector<std::int32_t>{4712, kMaxReading}, features), Status::kOk);
  EXPECT_NEAR(features[0] * 0x1p-12, std::sqrt(12.0), 1e-3) << "sqrt(12) units of 2^-12";
  EXPECT_EQ(features[1], INT16_MAX);
}

TEST(FeatureScaler, FrozenItNeverChanges) {
  std::vector<ChannelMoments> moments(1);
  FeatureScaler scaler(moments, {.memory = 3});
  std::int16_t feature = 7;
  for (const std::int32_t reading : {10, 20, 30}) {
    EXPECT_FALSE(scaler.is_ready());
    EXPECT_EQ(scaler.scale(std::span(&reading, 1), std::span(&feature, 1)), Status::kNotFound);
    ASSERT_EQ(scaler.learn(std::span(&reading, 1)), Status::kOk);
  }
  EXPECT_EQ(feature, 7);
  EXPECT_TRUE(scaler.is_frozen());
  const ChannelMoments before = moments[0];
  EXPECT_EQ(before.mean_q24, std::int64_t{20} << 24);
  for (const std::int32_t reading : {1000, kMinReading}) {
    ASSERT_EQ(scaler.learn(std::span(&reading, 1)), Status::kOk);
  }
  EXPECT_EQ(moments[0].mean_q24, before.mean_q24);
  EXPECT_EQ(moments[0].variance_q16, before.variance_q16);
}

TEST(FeatureScaler, ForgettingHasTheStatedHalfLife) {
  constexpr std::uint16_t kMemory = 1024;
  std::vector<ChannelMoments> moments(1);
  FeatureScaler scaler(moments, {.memory = kMemory, .adaptation = Adaptation::kForget});
  const std::int32_t low = 0;
  const std::int32_t high = 1 << 20;
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(scaler.learn(std::span(&low, 1)), Status::kOk);
  const int half_life = static_cast<int>(std::lround(-1 / std::log2(1 - 1.0 / kMemory)));
  EXPECT_EQ(half_life, 709);
  for (int i = 0; i < half_life; ++i) ASSERT_EQ(scaler.learn(std::span(&high, 1)), Status::kOk);
  const double share = std::ldexp(static_cast<double>(moments[0].mean_q24), -44);
  // Within half a frame's weight, for the rounding of the half-life.
  EXPECT_NEAR(share, 0.5, 0.5 / kMemory);
}

TEST(FeatureScaler, RefusesBadFramesAndChangesNothing) {
  std::vector<ChannelMoments> moments(2);
  FeatureScaler scaler(moments, {.memory = 2});
  const std::vector<std::int32_t> good{1, 2};
  ASSERT_EQ(scaler.learn(good), Status::kOk);
  for (const std::vector<std::int32_t>& bad :
       {std::vector<std::int32_t>{}, {1}, {1, 2, 3}, {1, kMaxReading + 1}, {INT32_MIN, 1}}) {
    EXPECT_EQ(scaler.learn(bad), Status::kInvalidArgument);
  }
  EXPECT_EQ(moments[0].mean_q24, std::int64_t{1} << 24);
  EXPECT_FALSE(scaler.is_ready());
  ASSERT_EQ(scaler.learn(good), Status::kOk);
  std::vector<std::int16_t> features{5, 6, 7};
  EXPECT_EQ(scaler.scale(good, features), Status::kInvalidArgument);
  EXPECT_EQ(scaler.scale(std::vector<std::int32_t>{0, INT32_MAX}, std::span(features).first(2)),
            Status::kInvalidArgument);
  EXPECT_EQ(features, (std::vector<std::int16_t>{5, 6, 7}));
}

TEST(FeatureScaler, RefusesOptionsOutOfRange) {
  std::vector<ChannelMoments> moments(1);
  const std::int32_t reading = 1;
  std::int16_t feature = 0;
  for (const ScalerOptions& options : {ScalerOptions{.memory = 1},
                                       {.memory = 32769},
                                       {.output_exponent = 1},
                                       {.output_exponent = -16}}) {
    FeatureScaler scaler(moments, options);
    EXPECT_EQ(scaler.learn(std::span(&reading, 1)), Status::kInvalidArgument);
    EXPECT_EQ(scaler.scale(std::span(&reading, 1), std::span(&feature, 1)),
              Status::kInvalidArgument);
    EXPECT_EQ(scaler.restore({}), Status::kInvalidArgument);
  }
  FeatureScaler none({}, {});
  EXPECT_EQ(none.learn({}), Status::kInvalidArgument);
}

TEST(FeatureScaler, GoesOnFromASavedState) {
  const ScalerOptions options{.memory = 50, .adaptation = Adaptation::kForget};
  std::vector<ChannelMoments> moments(3);
  FeatureScaler scaler(moments, options);
  Xorshift32 random(3);
  const auto learn = [&](FeatureScaler& target, Xorshift32& source) {
    std::vector<std::int32_t> frame;
    for (int i = 0; i < 3; ++i) {
      frame.push_back(static_cast<std::int32_t>(source.next() >> 9U) - (1 << 22));
    }
    ASSERT_EQ(target.learn(frame), Status::kOk);
  };
  for (int i = 0; i < 20; ++i) learn(scaler, random);
  std::vector<std::uint8_t> state(scaler.state_bytes());
  ASSERT_EQ(scaler.save(state), Status::kOk);

  std::vector<ChannelMoments> other_moments(3);
  FeatureScaler other(other_moments, options);
  ASSERT_EQ(other.restore(state), Status::kOk);
  Xorshift32 same = random;
  for (int i = 0; i < 100; ++i) {
    learn(scaler, random);
    learn(other, same);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(other_moments[i].mean_q24, moments[i].mean_q24);
    EXPECT_EQ(other_moments[i].variance_q16, moments[i].variance_q16);
  }
  EXPECT_TRUE(other.is_ready());
}

TEST(FeatureScaler, SavedStateIsFixedForEver) {
  std::vector<ChannelMoments> moments(1);
  FeatureScaler scaler(moments, {.memory = 4});
  for (const std::int32_t reading : {-3, 5}) {
    ASSERT_EQ(scaler.learn(std::span(&reading, 1)), Status::kOk);
  }
  std::vector<std::uint8_t> state(scaler.state_bytes());
  ASSERT_EQ(scaler.save(state), Status::kOk);
  // Version, freeze, memory, count, channels; mean 1 * 2^24; variance 16 * 2^16.
  EXPECT_EQ(state, (std::vector<std::uint8_t>{1, 0, 4,  0, 2, 0, 1, 0,  //
                                              0, 0, 0,  1, 0, 0, 0, 0,  //
                                              0, 0, 16, 0, 0, 0, 0, 0}));
}

TEST(FeatureScaler, RefusesStatesThatAreNotItsOwn) {
  const ScalerOptions options{.memory = 4};
  std::vector<ChannelMoments> moments(1);
  FeatureScaler scaler(moments, options);
  const std::int32_t reading = 9;
  for (int i = 0; i < 4; ++i) ASSERT_EQ(scaler.learn(std::span(&reading, 1)), Status::kOk);
  std::vector<std::uint8_t> good(scaler.state_bytes());
  ASSERT_EQ(scaler.save(good), Status::kOk);
  const auto refused = [&](std::size_t at, std::uint8_t value) {
    std::vector<std::uint8_t> bad = good;
    bad[at] = value;
    std::vector<ChannelMoments> memory(1);
    FeatureScaler target(memory, options);
    const Status status = target.restore(bad);
    EXPECT_EQ(memory[0].mean_q24, 0);
    EXPECT_FALSE(target.is_ready());
    return status;
  };
  EXPECT_EQ(refused(0, 2), Status::kUnsupportedVersion);
  EXPECT_EQ(refused(1, 1), Status::kMalformed) << "another adaptation";
  EXPECT_EQ(refused(2, 5), Status::kMalformed) << "another memory";
  EXPECT_EQ(refused(4, 5), Status::kMalformed) << "more frames than its memory";
  EXPECT_EQ(refused(6, 2), Status::kMalformed) << "another number of channels";
  EXPECT_EQ(refused(15, 0x7F), Status::kMalformed) << "a mean that no readings have";
  EXPECT_EQ(refused(23, 0xFF), Status::kMalformed) << "a variance that no readings have";
  EXPECT_EQ(scaler.restore({}), Status::kMalformed);
  EXPECT_EQ(scaler.restore(Bytes(good).first(23)), Status::kMalformed);
  EXPECT_EQ(scaler.save(std::span(good).first(23)), Status::kInvalidArgument);
}

// Any state that is taken leaves a scaler that works, extremes included.
RC_GTEST_PROP(FeatureScaler, WorksFromAnyState, ()) {
  const std::int64_t mean_q24 = *rc::gen::element(
      std::int64_t{kMinReading} * (1 << 24), std::int64_t{kMaxReading} * (1 << 24),
      std::int64_t{random_reading()} * (1 << 24) + 12345 * (random_reading() < 0 ? 1 : 0));
  const std::uint64_t variance_q16 = *rc::gen::element(std::uint64_t{0}, std::uint64_t{1} << 63U,
                                                       *rc::gen::arbitrary<std::uint64_t>() >> 1U);
  std::vector<std::uint8_t> state{1, 1, 2, 0, 2, 0, 1, 0};
  for (unsigned i = 0; i < 8; ++i) {
    state.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(mean_q24) >> (8 * i)));
  }
  for (unsigned i = 0; i < 8; ++i) {
    state.push_back(static_cast<std::uint8_t>(variance_q16 >> (8 * i)));
  }
  std::vector<ChannelMoments> moments(1);
  FeatureScaler scaler(moments, {.memory = 2, .adaptation = Adaptation::kForget});
  RC_ASSERT(scaler.restore(state) == Status::kOk);
  RC_ASSERT(moments[0].mean_q24 == mean_q24);
  RC_ASSERT(moments[0].variance_q16 == variance_q16);
  for (const std::int32_t reading : {kMinReading, kMaxReading, 0, kMinReading}) {
    std::int16_t feature = 0;
    RC_ASSERT(scaler.scale(std::span(&reading, 1), std::span(&feature, 1)) == Status::kOk);
    RC_ASSERT(scaler.learn(std::span(&reading, 1)) == Status::kOk);
    RC_ASSERT(moments[0].mean_q24 >= std::int64_t{kMinReading} * (1 << 24));
    RC_ASSERT(moments[0].mean_q24 <= std::int64_t{kMaxReading} * (1 << 24));
  }
}

}  // namespace
}  // namespace skep::observe
