#include "skep/release/step.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "skep/core/little_endian.h"
#include "skep/learn_testing/specs.h"
#include "skep/release/initial_model.h"
#include "skep/wire/weights_difference.h"

namespace skep::release {
namespace {

using Buffer = std::vector<std::uint8_t>;

const ModelSpec kSpec = learn_testing::mlp_spec({3, 2}, -15);
// The only layer: exponent, W[2][3], b[2].
constexpr std::size_t kWeightCount = 6;
constexpr std::size_t kBiasesAt = 2 + 2 * kWeightCount;
constexpr std::size_t kBlobBytes = kBiasesAt + 8;

Buffer blob(int exponent, const std::vector<int>& weights, const std::vector<int>& biases) {
  Buffer bytes(kBlobBytes);
  store_u16(bytes.data(), static_cast<std::uint16_t>(exponent));
  for (std::size_t i = 0; i < kWeightCount; ++i) {
    store_u16(&bytes[2 + 2 * i], static_cast<std::uint16_t>(weights[i]));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    store_u32(&bytes[kBiasesAt + 4 * i], static_cast<std::uint32_t>(biases[i]));
  }
  return bytes;
}

std::int64_t weight(const Buffer& bytes, std::size_t i) {
  return static_cast<std::int16_t>(load_u16(&bytes[2 + 2 * i]));
}
std::int64_t bias(const Buffer& bytes, std::size_t i) {
  return static_cast<std::int32_t>(load_u32(&bytes[kBiasesAt + 4 * i]));
}

TEST(QuantiseStep, KeepsWhatFits) {
  const Buffer base = blob(-13, {100, -100, 0, 7, 8, 9}, {1 << 20, -5});
  const Buffer next = blob(-13, {107, -107, 3, 7, 1, 9}, {(1 << 20) + 7, -12});
  EXPECT_EQ(quantise_step(kSpec, base, next, 4), next);
  EXPECT_EQ(quantise_step(kSpec, base, base, 2), base);
}

// Steps 16, −15, 8, 4, 12, 1 in four bits: at most 7, so in multiples of 4, halves to even.
TEST(QuantiseStep, RoundsToTheGridOfTheLargest) {
  const Buffer base = blob(-13, {100, -100, 0, 7, 8, 9}, {0, 0});
  const Buffer next = blob(-13, {116, -115, 6, 11, 18, 10}, {1000, 100});
  // 1000 in multiples of 128 is 7.8: eight are too many, so 256: 3.9 and 0.4.
  EXPECT_EQ(quantise_step(kSpec, base, next, 4), blob(-13, {116, -116, 8, 11, 16, 9}, {1024, 0}));
}

TEST(QuantiseStep, StartsFromTheRescaledBase) {
  const Buffer base = blob(-13, {100, -101, 0, 7, 8, 9}, {1 << 20, -5});
  // The prediction is 50, −50, 0, 4, 4, 5; steps of 0, 0, 0, 0, 0 and 100.
  const Buffer next = blob(-12, {50, -50, 0, 4, 4, 105}, {1 << 19, -2});
  EXPECT_EQ(quantise_step(kSpec, base, next, 2),
            blob(-12, {50, -50, 0, 4, 4, 5 + 128}, {1 << 19, -2}));
}

TEST(QuantiseStep, NeverLeavesTheRangeOfItsType) {
  const Buffer base = blob(-13, {32000, -32000, 0, 0, 0, 0}, {INT32_MAX - 100, INT32_MIN + 100});
  const Buffer next = blob(-13, {32767, -32768, 0, 0, 0, 0}, {INT32_MAX, INT32_MIN});
  for (std::uint32_t bits = kMinStepBits; bits <= kMaxStepBits; ++bits) {
    const Buffer result = quantise_step(kSpec, base, next, bits);
    EXPECT_GE(weight(result, 0), 32000);
    EXPECT_LE(weight(result, 1), -32000);
    EXPECT_GE(bias(result, 0), INT32_MAX - 100);
    EXPECT_LE(bias(result, 1), INT32_MIN + 100);
  }
}

TEST(QuantiseStep, RefusesWhatIsNoStep) {
  const Buffer base = blob(-13, {1, 2, 3, 4, 5, 6}, {1, 2});
  const auto status = [](const Buffer& from, const Buffer& to, std::uint32_t bits) {
    try {
      (void)quantise_step(kSpec, from, to, bits);
      return Status::kOk;
    } catch (const ReleaseError& error) {
      EXPECT_STRNE(error.what(), "");
      return error.status();
    }
  };
  EXPECT_EQ(status(base, base, 2), Status::kOk);
  EXPECT_EQ(status(base, base, 1), Status::kInvalidArgument);
  EXPECT_EQ(status(base, base, 17), Status::kInvalidArgument);
  EXPECT_EQ(status(base, Buffer(kBlobBytes - 1), 6), Status::kInvalidArgument);
  EXPECT_EQ(status(Buffer(kBlobBytes + 1), base, 6), Status::kInvalidArgument);
  EXPECT_EQ(status(blob(-31, {0, 0, 0, 0, 0, 0}, {0, 0}), blob(0, {0, 0, 0, 0, 0, 0}, {0, 0}), 6),
            Status::kInvalidArgument);
}

// Nearest: no further from the exact value than half a multiple, and as coarse as the bits ask for.
RC_GTEST_PROP(QuantiseStepProperty, IsBasePlusAFewNearestMultiples, ()) {
  std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
  const auto bits = *rc::gen::inRange<std::uint32_t>(kMinStepBits, kMaxStepBits + 1);
  const auto spread = *rc::gen::inRange(1, 14);
  const int from = -15 + static_cast<int>(random() % 3);
  const int to = -15 + static_cast<int>(random() % 3);
  std::vector<int> base_weights(kWeightCount);
  std::vector<int> weights(kWeightCount);
  for (std::size_t i = 0; i < kWeightCount; ++i) {
    base_weights[i] = static_cast<int>(random() % 4096) - 2048;
    weights[i] = wire::rescale(base_weights[i], to - from) +
                 (static_cast<int>(random() % (1U << spread)) - (1 << (spread - 1)));
  }
  const Buffer base = blob(from, base_weights, {12345, -54321});
  const Buffer exact = blob(to, weights, {wire::rescale(12345, to - from) + 77777, 99});
  const Buffer result = quantise_step(kSpec, base, exact, bits);
  RC_ASSERT(load_u16(result.data()) == static_cast<std::uint16_t>(to));

  std::int64_t unit = 1;  // as the definition says, without shifts
  const auto fits = [&] {
    for (std::size_t i = 0; i < kWeightCount; ++i) {
      const double step =
          static_cast<double>(weights[i] - wire::rescale(base_weights[i], to - from));
      if (std::abs(std::nearbyint(step / static_cast<double>(unit))) > std::exp2(bits - 1) - 1) {
        return false;
      }
    }
    return true;
  };
  while (!fits()) unit *= 2;
  for (std::size_t i = 0; i < kWeightCount; ++i) {
    const std::int64_t step = weight(result, i) - wire::rescale(base_weights[i], to - from);
    RC_ASSERT(step % unit == 0);
    RC_ASSERT(2 * std::abs(weight(result, i) - weights[i]) <= unit);
  }
}

}  // namespace
}  // namespace skep::release
