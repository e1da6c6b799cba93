// The exact mean: against an oracle in other arithmetic, and independent of order and splitting.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "skep/aggregate/accumulate.h"
#include "skep/aggregate/average.h"
#include "skep/core/prng.h"
#include "skep/flow.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"

namespace skep::intake {

/// Stands in for intake's, which this test does not link: makes Valid values without sealing.
class Validator {
 public:
  static server::Valid make(server::SparseDelta delta, std::uint32_t sample_count) {
    server::Valid valid;
    valid.delta_ = std::move(delta);
    valid.sample_count_ = sample_count;
    return valid;
  }
};

}  // namespace skep::intake

namespace skep::aggregate {
namespace {

using server::Int128;

/// The project's own generator, in the shape that <random> and <algorithm> want.
struct Random {
  using result_type = std::uint32_t;
  explicit Random(std::uint32_t seed) : generator(seed) {}
  static constexpr result_type min() { return 1; }
  static constexpr result_type max() { return UINT32_MAX; }
  result_type operator()() { return generator.next(); }
  Xorshift32 generator;
};

ModelSpec small_model() {
  ModelSpec spec;
  spec.inputs = 3;
  spec.input_exponent = -14;
  spec.layer_count = 3;
  spec.layers[0] = {LayerKind::kDense, 2};
  spec.layers[1] = {LayerKind::kRelu, 2};
  spec.layers[2] = {LayerKind::kDense, 2};
  return spec;
}

const ModelSpec kModel = small_model();
constexpr std::uint32_t kDimension = 3 * 2 + 2 + 2 * 2 + 2;

server::Valid random_update(Random& random, int min_exponent, int max_exponent) {
  server::SparseDelta delta{.dimension = kDimension, .exponent = 0, .indices = {}, .values = {}};
  delta.exponent =
      min_exponent +
      static_cast<int>(random() % static_cast<unsigned>(max_exponent - min_exponent + 1));
  if (random() % 2 == 0) delta.scale = static_cast<std::uint16_t>(random() % 1000);
  for (std::uint32_t i = 0; i < kDimension; ++i) {
    if (random() % 3 == 0) continue;
    delta.indices.push_back(i);
    delta.values.push_back(static_cast<std::int16_t>(random()));
  }
  return intake::Validator::make(std::move(delta), 1 + random() % wire::kMaxSampleCount);
}

std::vector<std::uint8_t> random_weights(Random& random) {
  std::vector<std::uint8_t> blob(learn::plan_memory(kModel)->weights_blob_bytes);
  for (std::uint8_t& byte : blob) byte = static_cast<std::uint8_t>(random());
  for (const auto& layer : learn::ParameterLayers(kModel)) {
    const int exponent = -14 - static_cast<int>(random() % 4);
    blob[layer.exponent_offset] = static_cast<std::uint8_t>(exponent);
    blob[layer.exponent_offset + 1] = 0xFF;
  }
  return blob;
}

server::Accumulated sum_of(const std::vector<server::Valid>& updates) {
  Accumulator sum(kDimension);
  for (const auto& update : updates) EXPECT_EQ(sum.add(update), Status::kOk);
  return sum.total();
}

std::vector<std::uint8_t> weights_of(const Result<server::Candidate>& candidate) {
  EXPECT_TRUE(candidate.ok());
  return {candidate->weights().begin(), candidate->weights().end()};
}

// Reads values in units of 2^exponent without the code under test.
std::int64_t read(Bytes blob, std::uint32_t offset, int bytes) {
  std::uint32_t value = 0;
  for (int i = bytes - 1; i >= 0; --i)
    value = value << 8U | blob[offset + static_cast<unsigned>(i)];
  return bytes == 2 ? static_cast<std::int16_t>(value) : static_cast<std::int32_t>(value);
}

/// parameter[i] as an integer in units of 2^-46, the finest that a blob can hold.
std::vector<Int128> on_grid(Bytes blob) {
  std::vector<Int128> values(kDimension);
  for (const auto& layer : learn::ParameterLayers(kModel)) {
    const auto exponent = static_cast<int>(read(blob, layer.exponent_offset, 2));
    for (std::uint32_t i = 0; i < layer.weight_count; ++i) {
      values[layer.first_parameter() + i] =
          Int128{read(blob, layer.weights_offset + 2 * i, 2)} * (Int128{1} << (exponent + 46));
    }
    for (std::uint32_t i = 0; i < layer.bias_count; ++i) {
      values[layer.first_parameter() + layer.weight_count + i] =
          Int128{read(blob, layer.biases_offset + 4 * i, 4)} * (Int128{1} << (exponent + 30));
    }
  }
  return values;
}

RC_GTEST_PROP(Aggregate, SumEqualsTheOracleInAnyOrderAndSplit, (std::uint32_t seed)) {
  Random random(seed);
  std::vector<server::Valid> updates;
  for (unsigned n = 1 + random() % 40; n > 0; --n) {
    updates.push_back(random_update(random, kMinDeltaExponent, kMaxDeltaExponent));
  }
  // The oracle: column by column, from the last update to the first.
  std::vector<Int128> expected(kDimension);
  std::uint64_t samples = 0;
  for (std::uint32_t i = 0; i < kDimension; ++i) {
    for (auto update = updates.rbegin(); update != updates.rend(); ++update) {
      const auto& delta = update->delta();
      const auto found = std::ranges::find(delta.indices, i);
      if (found == delta.indices.end()) continue;
      Int128 term = delta.values[static_cast<std::size_t>(found - delta.indices.begin())];
      for (int e = kMinDeltaExponent; e < delta.exponent; ++e) term *= 2;
      expected[i] += term * update->sample_count() * delta.scale;
    }
  }
  for (const auto& update : updates) samples += update.sample_count();

  const server::Accumulated sum = sum_of(updates);
  RC_ASSERT(sum.sums() == expected);
  RC_ASSERT(sum.sample_count() == samples);
  RC_ASSERT(sum.contributor_count() == updates.size());

  std::ranges::shuffle(updates, random);
  Accumulator first(kDimension);
  Accumulator second(kDimension);
  for (const auto& update : updates) {
    RC_ASSERT((random() % 2 == 0 ? first : second).add(update) == Status::kOk);
  }
  RC_ASSERT(second.merge(first.total()) == Status::kOk);
  RC_ASSERT(second.total().sums() == expected);
  RC_ASSERT(second.total().sample_count() == samples);
}

RC_GTEST_PROP(Aggregate, EachWeightIsTheNearestToTheExactMean, (std::uint32_t seed)) {
  Random random(seed);
  const auto base = random_weights(random);
  std::vector<server::Valid> updates;
  for (unsigned n = 1 + random() % 20; n > 0; --n)
    updates.push_back(random_update(random, -32, -16));
  const server::Accumulated sum = sum_of(updates);
  const auto blob = weights_of(average(sum, kModel, base));

  const auto old_values = on_grid(base);
  const auto new_values = on_grid(blob);
  const Int128 samples = sum.sample_count();
  for (const auto& layer : learn::ParameterLayers(kModel)) {
    const auto exponent = static_cast<int>(read(blob, layer.exponent_offset, 2));
    Int128 largest = 0;
    for (std::uint32_t i = 0; i < layer.weight_count + layer.bias_count; ++i) {
      const std::uint32_t parameter = layer.first_parameter() + i;
      // Everything times the samples, so that no division is needed.
      const Int128 exact = old_values[parameter] * samples + sum.sums()[parameter] * (1 << 14);
      const Int128 error = new_values[parameter] * samples - exact;
      const Int128 unit = samples << (exponent + (i < layer.weight_count ? 46 : 30));
      RC_ASSERT((error < 0 ? -error : error) * 2 <= unit);
      if ((error < 0 ? -error : error) * 2 == unit) {
        RC_ASSERT(new_values[parameter] * samples / unit % 2 == 0);
      }
      largest = std::max(largest, exact < 0 ? -exact : exact);
    }
    // Two bits of headroom, and no finer exponent would leave them.
    const Int128 limit = (samples << (exponent + 46)) * 8192;
    RC_ASSERT(largest < limit);
    RC_ASSERT(exponent == learn::kMinWeightExponent ||
              largest * 2 + (samples << (exponent + 45)) >= limit);
  }
}

RC_GTEST_PROP(Aggregate, ResultDoesNotDependOnTheOrder, (std::uint32_t seed)) {
  Random random(seed);
  const auto base = random_weights(random);
  std::vector<server::Valid> updates;
  for (unsigned n = 2 + random() % 20; n > 0; --n)
    updates.push_back(random_update(random, -30, -18));
  const auto expected = weights_of(average(sum_of(updates), kModel, base));
  std::ranges::shuffle(updates, random);
  RC_ASSERT(weights_of(average(sum_of(updates), kModel, base)) == expected);
}

TEST(Aggregate, ExtremesNeitherOverflowNorRound) {
  constexpr std::int32_t kLargest = std::int32_t{1} << 24;
  for (const std::int32_t value : {-kLargest, kLargest}) {
    std::vector<server::Valid> updates;
    Int128 expected = 0;
    for (int i = 0; i < 5000; ++i) {
      const int exponent = i % 2 == 0 ? kMaxDeltaExponent : kMinDeltaExponent;
      server::SparseDelta delta{.dimension = kDimension,
                                .exponent = exponent,
                                .scale = UINT16_MAX,
                                .indices = {0},
                                .values = {value}};
      updates.push_back(intake::Validator::make(std::move(delta), wire::kMaxSampleCount));
      expected += (Int128{value} * UINT16_MAX * (Int128{1} << (exponent - kMinDeltaExponent))) *
                  wire::kMaxSampleCount;
    }
    EXPECT_TRUE(sum_of(updates).sums()[0] == expected);
  }
}

TEST(Aggregate, ZeroUpdateKeepsTheValues) {
  Random random(3);
  const auto base = random_weights(random);
  const auto zero = intake::Validator::make(
      {.dimension = kDimension, .exponent = -20, .indices = {1}, .values = {0}}, 7);
  std::vector<server::Valid> updates{zero};
  const auto once = weights_of(average(sum_of(updates), kModel, base));
  EXPECT_EQ(weights_of(average(sum_of(updates), kModel, once)), once);
}

/// A convolution, a frozen one before it, a pool and a dense layer.
ModelSpec frozen_model() {
  ModelSpec spec;
  spec.inputs = 12;
  spec.input_width = 6;
  spec.input_exponent = -14;
  spec.frozen_layers = 2;
  spec.layer_count = 5;
  const Window window{.height = 1, .width = 3, .stride_height = 1, .stride_width = 1};
  spec.layers[0] = {LayerKind::kConv, 3, window};
  spec.layers[1] = {LayerKind::kRelu, 3};
  spec.layers[2] = {LayerKind::kDepthwiseConv, 3, window};
  spec.layers[3] = {LayerKind::kFlatten, 6};
  spec.layers[4] = {LayerKind::kDense, 2};
  return spec;
}

RC_GTEST_PROP(Aggregate, FrozenLayersKeepTheirBytesAndOthersTheirPlaces, (std::uint32_t seed)) {
  Random random(seed);
  const ModelSpec spec = frozen_model();
  const learn::MemoryPlan plan = *learn::plan_memory(spec);
  RC_ASSERT(plan.trainable_count == 3 * 3 + 3 + 6 * 2 + 2U);
  std::vector<std::uint8_t> base(plan.weights_blob_bytes);
  for (std::uint8_t& byte : base) byte = static_cast<std::uint8_t>(random() % 32);
  for (const auto& layer : learn::ParameterLayers(spec)) {
    base[layer.exponent_offset] = static_cast<std::uint8_t>(-20);
    base[layer.exponent_offset + 1] = 0xFF;
  }
  // One parameter rises by far more than the rest is large.
  const std::uint32_t changed = random() % plan.trainable_count;
  Accumulator sum(plan.trainable_count);
  RC_ASSERT(sum.add(intake::Validator::make({.dimension = plan.trainable_count,
                                             .exponent = -14,
                                             .indices = {changed},
                                             .values = {16384}},
                                            3)) == Status::kOk);
  const auto blob = weights_of(average(sum.total(), spec, base));
  for (const auto& layer : learn::ParameterLayers(spec)) {
    if (!layer.trainable) {
      RC_ASSERT(std::equal(blob.begin() + layer.exponent_offset, blob.begin() + layer.end_offset,
                           base.begin() + layer.exponent_offset));
      continue;
    }
    const auto exponent = static_cast<int>(read(blob, layer.exponent_offset, 2));
    for (std::uint32_t i = 0; i < layer.weight_count + layer.bias_count; ++i) {
      const bool is_weight = i < layer.weight_count;
      const std::uint32_t offset = is_weight ? layer.weights_offset + 2 * i
                                             : layer.biases_offset + 4 * (i - layer.weight_count);
      const double value = std::ldexp(static_cast<double>(read(blob, offset, is_weight ? 2 : 4)),
                                      is_weight ? exponent : exponent - 16);
      RC_ASSERT((value > 0.5) == (layer.first_parameter() + i == changed));
    }
  }
}

TEST(Aggregate, LayerOfZerosKeepsItsExponent) {
  std::vector<std::uint8_t> base(learn::plan_memory(kModel)->weights_blob_bytes);
  for (const auto& layer : learn::ParameterLayers(kModel)) {
    base[layer.exponent_offset] = static_cast<std::uint8_t>(-13);
    base[layer.exponent_offset + 1] = 0xFF;
  }
  std::vector<server::Valid> updates{intake::Validator::make(
      {.dimension = kDimension, .exponent = 0, .indices = {0}, .values = {0}}, 1)};
  EXPECT_EQ(weights_of(average(sum_of(updates), kModel, base)), base);
}

TEST(Aggregate, EngineLoadsTheResult) {
  Random random(5);
  const auto base = random_weights(random);
  std::vector<server::Valid> updates{random_update(random, -24, -20)};
  const auto blob = weights_of(average(sum_of(updates), kModel, base));
  std::vector<std::uint64_t> memory(learn::plan_memory(kModel)->inference_bytes / 8 + 1);
  auto engine = learn::Engine::create(kModel, learn::Purpose::kInference,
                                      std::as_writable_bytes(std::span(memory)));
  ASSERT_TRUE(engine.ok());
  EXPECT_EQ(engine->load(SpanSource(blob)), Status::kOk);
}

TEST(Aggregate, RefusesWhatDoesNotFit) {
  Random random(6);
  const auto base = random_weights(random);
  const server::Accumulated empty = Accumulator(kDimension).total();
  EXPECT_EQ(average(empty, kModel, base).status(), Status::kInvalidArgument);

  Accumulator other(kDimension + 1);
  const auto update = random_update(random, -24, -20);
  EXPECT_EQ(other.add(update), Status::kInvalidArgument);
  EXPECT_EQ(other.merge(empty), Status::kInvalidArgument);
  EXPECT_EQ(other.total().contributor_count(), 0U);

  std::vector<server::Valid> updates{update};
  const server::Accumulated sum = sum_of(updates);
  EXPECT_EQ(average(sum, kModel, Bytes(base).first(base.size() - 1)).status(), Status::kMalformed);
  auto bad_exponent = base;
  bad_exponent[0] = 1;
  bad_exponent[1] = 0;
  EXPECT_EQ(average(sum, kModel, bad_exponent).status(), Status::kMalformed);
}

TEST(Aggregate, WeightsBeyondTheRangeAreTooLarge) {
  std::vector<std::uint8_t> base(learn::plan_memory(kModel)->weights_blob_bytes);
  base[2] = 0xFF;  // First weight 32767 at exponent 0.
  base[3] = 0x7F;
  std::vector<server::Valid> updates{intake::Validator::make(
      {.dimension = kDimension, .exponent = 0, .indices = {0}, .values = {1}}, 1)};
  EXPECT_EQ(average(sum_of(updates), kModel, base).status(), Status::kTooLarge);
}

}  // namespace
}  // namespace skep::aggregate
