#include "skep/wire/weights_difference.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "testing/reference_difference.h"

namespace skep::wire {
namespace {

using Buffer = std::vector<std::uint8_t>;
using Layers = std::vector<LayerCounts>;

std::size_t size_of(const Layers& layers) {
  std::size_t size = 0;
  for (const LayerCounts& layer : layers) {
    size += 2 + 2 * std::size_t{layer.weights} + 4 * std::size_t{layer.biases};
  }
  return size;
}

Buffer encoded(const Layers& layers, Bytes base, Bytes target) {
  Buffer out(2 * target.size() + 64);
  const Result<std::size_t> size = encode_difference(layers, base, target, out);
  EXPECT_TRUE(size.ok()) << to_string(size.status());
  out.resize(size.ok() ? *size : 0);
  return out;
}

struct Decoded {
  Status status;
  Buffer target;
};

// As a device does it: the input in pieces of one length, the base read in pieces of another.
Decoded decoded(Bytes coded, Bytes base, std::size_t piece = 512, std::size_t window = 64) {
  DifferenceDecoder decoder(static_cast<std::uint32_t>(base.size()));
  Buffer target;
  while (!coded.empty()) {
    Bytes rest = coded.first(std::min(piece, coded.size()));
    coded = coded.subspan(rest.size());
    for (;;) {
      const std::size_t at = decoder.position();
      Buffer weights(
          base.begin() + static_cast<std::ptrdiff_t>(at),
          base.begin() + static_cast<std::ptrdiff_t>(std::min(base.size(), at + window)));
      const Result<std::uint32_t> done = decoder.decode(rest, weights);
      if (!done.ok()) return {done.status(), target};
      target.insert(target.end(), weights.begin(), weights.begin() + *done);
      if (*done == 0) break;
    }
    if (!rest.empty()) return {Status::kMalformed, target};
  }
  return {decoder.finish(), target};
}

void expect_round_trip(const Layers& layers, const Buffer& base, const Buffer& target) {
  const Buffer coded = encoded(layers, base, target);
  const Decoded result = decoded(coded, base);
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_EQ(result.target, target);
}

// A layer whose values are `values` in int16, with exponent e.
Buffer blob(int exponent, const std::vector<int>& weights,
            const std::vector<std::int64_t>& biases = {}) {
  Buffer bytes{static_cast<std::uint8_t>(exponent), static_cast<std::uint8_t>(exponent >> 8)};
  for (const int weight : weights) {
    bytes.push_back(static_cast<std::uint8_t>(weight));
    bytes.push_back(static_cast<std::uint8_t>(weight >> 8));
  }
  for (const std::int64_t bias : biases) {
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(bias >> (8 * i)));
  }
  return bytes;
}

// ---- The bytes

TEST(WeightsDifference, NothingNewIsOneBlockCodeEach) {
  const Buffer base = blob(-13, std::vector<int>(64, 5), {1, 2});
  // Format 8 bits, exponent 6, counts of 20; shift 5 and zero block 5 of the weights, 5 and 6 of
  // the biases: 75.
  EXPECT_EQ(encoded({{64, 2}}, base, base),
            (Buffer{0x01, 0x00, 0x00, 0x10, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00}));
  expect_round_trip({{64, 2}}, base, base);
}

// Golden bytes: released devices read them for ever.
TEST(WeightsDifference, AnExampleOfEveryCode) {
  const Buffer base = blob(-13, {100, -100, 7}, {1 << 20});
  const Buffer target = blob(-12, {50 + 4, -50 - 8, 4}, {(1 << 19) - 65536});
  // Exponent +1: 000001; three weights, one bias in 20 bits each. Residuals 4, −8, 0 are multiples
  // of 4: shift 00010, 14 bits are left: 1, −2, 0 become 2, 3, 0, which take 8 bits with parameter
  // 0 and with 1: 0, so 0001 110 1110 0. The bias' −2^16: shift 10000, −1 becomes 1: 00001 10.
  EXPECT_EQ(encoded({{3, 1}}, base, target),
            (Buffer{0x01, 0x04, 0x00, 0x00, 0xC0, 0x00, 0x04, 0x43, 0xB9, 0x00, 0xC0}));
  expect_round_trip({{3, 1}}, base, target);
}

TEST(WeightsDifference, PredictionIsRounded) {
  static_assert(rescale(5, 0) == 5 && rescale(5, 1) == 3 && rescale(-5, 1) == -2);
  static_assert(rescale(3, 2) == 1 && rescale(2, 2) == 1 && rescale(1, 2) == 0);
  static_assert(rescale(-2, 2) == 0 && rescale(-3, 2) == -1);
  static_assert(rescale(5, -2) == 20 && rescale(-5, -2) == -20);
  static_assert(rescale(INT32_MAX, 1) == 1 << 30 && rescale(INT32_MIN, 30) == -2);
  static_assert(rescale(INT32_MAX, 30) == 2 && rescale(INT32_MIN, -1) == 0);
}

TEST(WeightsDifference, ExtremesOfBothTypesAreExact) {
  const std::vector<int> weights{INT16_MIN, INT16_MAX, 0, -1, 1, INT16_MAX, INT16_MIN};
  const std::vector<std::int64_t> biases{INT32_MIN, INT32_MAX, 0, -1, 1};
  for (int from = -30; from <= 0; from += 5) {
    for (int to = -30; to <= 0; to += 6) {
      std::vector<int> other(weights.rbegin(), weights.rend());
      std::vector<std::int64_t> other_biases(biases.rbegin(), biases.rend());
      expect_round_trip({{7, 5}}, blob(from, weights, biases), blob(to, other, other_biases));
    }
  }
}

TEST(WeightsDifference, SmallStepsTakeFewBytes) {
  std::mt19937 random(1);
  std::vector<int> weights(2048);
  for (int& weight : weights) weight = static_cast<int>(random() % 16384) - 8192;
  std::vector<int> next = weights;
  for (int& weight : next) weight += 64 * (static_cast<int>(random() % 3) - 1);
  const Buffer coded = encoded({{2048, 0}}, blob(-13, weights), blob(-13, next));
  // −1, 0 and 1 take 2, 1 and 3 bits with equal chances, and 64 of them a head of 4.
  EXPECT_NEAR(static_cast<double>(coded.size()), 2048 * (2 + 4.0 / 64) / 8, 30);
}

// ---- What is refused

TEST(WeightsDifference, EncoderRefusesWhatDoesNotFit) {
  const Buffer base = blob(-13, {1, 2, 3});
  Buffer out(64);
  const auto status = [&](const Layers& layers, Bytes from, Bytes to) {
    return encode_difference(layers, from, to, out).status();
  };
  EXPECT_EQ(status({{3, 0}}, base, base), Status::kOk);
  EXPECT_EQ(status({{2, 0}}, base, base), Status::kInvalidArgument);
  EXPECT_EQ(status({{4, 0}}, base, base), Status::kInvalidArgument);
  EXPECT_EQ(status({}, base, base), Status::kInvalidArgument);
  EXPECT_EQ(status({}, {}, {}), Status::kInvalidArgument);
  EXPECT_EQ(status({{3, 0}}, base, Bytes(base).first(6)), Status::kInvalidArgument);
  EXPECT_EQ(status({{kMaxLayerValues + 1, 0}}, base, base), Status::kInvalidArgument);
  EXPECT_EQ(status({{3, 0}}, blob(-31, {1, 2, 3}), blob(0, {1, 2, 3})), Status::kInvalidArgument);
  const Buffer coded = encoded({{3, 0}}, base, base);
  for (std::size_t room = 0; room < coded.size(); ++room) {
    EXPECT_EQ(encode_difference(Layers{{3, 0}}, base, base, MutableBytes(out).first(room)).status(),
              Status::kNoMemory);
  }
}

TEST(WeightsDifference, AnotherFormatIsUnsupported) {
  const Buffer base = blob(-13, {1, 2, 3});
  Buffer coded = encoded({{3, 0}}, base, base);
  coded[0] = 2;
  EXPECT_EQ(decoded(coded, base).status, Status::kUnsupportedVersion);
}

TEST(WeightsDifference, TruncatedOrContinuedIsMalformed) {
  const Buffer base = blob(-13, {1, 2, 3, 4}, {9});
  Buffer coded = encoded({{4, 1}}, base, blob(-12, {9, 2, -3, 4}, {7}));
  for (std::size_t size = 1; size < coded.size(); ++size) {
    EXPECT_EQ(decoded(Bytes(coded).first(size), base).status, Status::kMalformed) << size;
  }
  for (int extra = 0; extra < 20; ++extra) {
    coded.push_back(0);
    EXPECT_EQ(decoded(coded, base).status, Status::kMalformed);
  }
}

TEST(WeightsDifference, LargerLayersThanTheBaseAreMalformed) {
  const Buffer small = blob(-13, {1, 2, 3});
  const Buffer large = blob(-13, {1, 2, 3, 4});
  EXPECT_EQ(decoded(encoded({{4, 0}}, large, large), small).status, Status::kMalformed);
  EXPECT_EQ(decoded(encoded({{3, 0}}, small, small), large).status, Status::kMalformed);
}

// ---- Properties

Layers any_layers() {
  Layers layers(*rc::gen::inRange<std::size_t>(1, 4));
  for (LayerCounts& layer : layers) {
    layer.weights = *rc::gen::inRange<std::uint32_t>(0, 200);
    layer.biases = *rc::gen::inRange<std::uint32_t>(0, 80);
  }
  return layers;
}

// Values that differ from `base` by at most 2^bits steps of 2^shift, and now and then by more.
Buffer any_target(const Layers& layers, const Buffer& base, std::mt19937& random) {
  Buffer target = base;
  std::size_t at = 0;
  const auto change = [&](std::uint32_t bytes, unsigned bits, unsigned shift) {
    const std::uint32_t wild = random() % 50 == 0 ? static_cast<std::uint32_t>(random()) : 0;
    const std::uint32_t step = (static_cast<std::uint32_t>(random()) & ((1U << bits) - 1)) << shift;
    std::uint32_t value = 0;
    for (std::uint32_t i = 0; i < bytes; ++i) value |= std::uint32_t{target[at + i]} << (8 * i);
    value += (random() % 2 == 0 ? step : 0U - step) + wild;
    for (std::uint32_t i = 0; i < bytes; ++i) {
      target[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    at += bytes;
  };
  for (const LayerCounts& layer : layers) {
    const int exponent = random() % 3 == 0
                             ? -static_cast<int>(random() % 31)
                             : static_cast<std::int16_t>(base[at] | base[at + 1] << 8);
    target[at] = static_cast<std::uint8_t>(exponent);
    target[at + 1] = static_cast<std::uint8_t>(exponent >> 8);
    at += 2;
    const auto bits = static_cast<unsigned>(random() % 14);
    const auto shift = static_cast<unsigned>(random() % 12);
    for (std::uint32_t i = 0; i < layer.weights; ++i) change(2, bits, shift);
    for (std::uint32_t i = 0; i < layer.biases; ++i) change(4, bits, shift + 8);
  }
  return target;
}

Buffer any_base(const Layers& layers, std::mt19937& random) {
  Buffer base(size_of(layers));
  for (std::uint8_t& byte : base) byte = static_cast<std::uint8_t>(random());
  std::size_t at = 0;
  for (const LayerCounts& layer : layers) {
    const int exponent = -static_cast<int>(random() % 31);
    base[at] = static_cast<std::uint8_t>(exponent);
    base[at + 1] = static_cast<std::uint8_t>(exponent >> 8);
    at += 2 + 2 * std::size_t{layer.weights} + 4 * std::size_t{layer.biases};
  }
  return base;
}

RC_GTEST_PROP(WeightsDifferenceProperty, AnyPairIsReadBackInAnyPieces, ()) {
  std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
  const Layers layers = any_layers();
  const Buffer base = any_base(layers, random);
  const Buffer target = any_target(layers, base, random);
  const Buffer coded = encoded(layers, base, target);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    for (const std::size_t window : {std::size_t{4}, std::size_t{61}, std::size_t{100'000}}) {
      const Decoded result = decoded(coded, base, piece, window);
      RC_ASSERT(result.status == Status::kOk);
      RC_ASSERT(result.target == target);
    }
  }
  const auto reference = testing::decode_strictly(coded, base);
  RC_ASSERT(reference.has_value());
  RC_ASSERT(reference->target == target);
}

// No longer than the target's values themselves and what frames them, however wild they are.
RC_GTEST_PROP(WeightsDifferenceProperty, SizeIsBounded, ()) {
  std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
  const Layers layers = any_layers();
  const Buffer base = any_base(layers, random);
  const Buffer coded = encoded(layers, base, any_base(layers, random));
  std::size_t bits = 8 + 7;
  for (const LayerCounts& layer : layers) {
    bits += 6 + 2 * 20 + 2 * 5;
    bits += layer.weights * 17 + (layer.weights / 64 + 1) * 5;
    bits += layer.biases * 33 + (layer.biases / 64 + 1) * 6;
  }
  RC_ASSERT(coded.size() <= bits / 8 + 1);
}

RC_GTEST_PROP(WeightsDifferenceProperty, AlteredBytesAreRefusedOrTheOneEncodingOfOthers, ()) {
  std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
  const Layers layers = any_layers();
  const Buffer base = any_base(layers, random);
  const Buffer good = encoded(layers, base, any_target(layers, base, random));
  for (int attempt = 0; attempt < 200; ++attempt) {
    Buffer coded = good;
    const std::size_t changes = 1 + random() % 3;
    for (std::size_t i = 0; i < changes; ++i) {
      coded[random() % std::min<std::size_t>(coded.size(), attempt % 2 == 0 ? 8 : 1000)] ^=
          static_cast<std::uint8_t>(1U << (random() % 8));
    }
    const auto expected = testing::decode_strictly(coded, base);
    const Decoded result = decoded(coded, base);
    RC_ASSERT((result.status == Status::kOk) == expected.has_value());
    if (expected) RC_ASSERT(result.target == expected->target);
  }
}

RC_GTEST_PROP(WeightsDifferenceProperty, ArbitraryBytesAreSafe, (const Buffer& bytes)) {
  Buffer coded = bytes;
  coded.insert(coded.begin(), 1);
  const Buffer base = blob(-13, std::vector<int>(40, 3), {1, 2, 3});
  const Decoded result = decoded(coded, base);
  RC_ASSERT((result.status == Status::kOk) == testing::decode_strictly(coded, base).has_value());
}

}  // namespace
}  // namespace skep::wire
