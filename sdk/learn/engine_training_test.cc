// What one training step does at the edges: overflow, saturation, all-zero samples, seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bounded_step_test_support.h"
#include "engine_test_support.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

using learn_testing::mlp_spec;
using Vector = std::vector<double>;

TEST(TrainStep, ReportsTheLossBeforeTheStepAndLearns) {
  TestEngine engine(mlp_spec({6, 8, 3}, -15), Purpose::kTraining);
  ASSERT_EQ(engine->initialize(3), Status::kOk);
  const std::vector<std::int16_t> features{30000, -20000, 10000, 0, 5000, -1};
  const std::uint32_t before = *engine->evaluate(features, 2);
  EXPECT_EQ(*engine->train_step(features, 2, {1, 5}), before);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(engine->train_step(features, 2, {1, 5}).ok());
  EXPECT_LT(*engine->evaluate(features, 2), before / 10);
  EXPECT_EQ(*engine->predicted_class(), 2);
}

TEST(TrainStep, AllZeroFeaturesTrainOnlyBiases) {
  const ModelSpec spec = mlp_spec({4, 6, 3}, -15);
  TestEngine engine(spec, Purpose::kTraining);
  ASSERT_EQ(engine->initialize(3), Status::kOk);
  const std::vector<LayerValues> before = values_of_blob(spec, engine.blob());
  const std::vector<std::int16_t> zeros(4, 0);
  ASSERT_TRUE(engine->train_step(zeros, 1, {1, 4}).ok());
  const std::vector<LayerValues> after = values_of_blob(spec, engine.blob());
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(after[k].weights, before[k].weights);
  }
  // The hidden layer's output is all zero, so its units are dead; the last layer's biases move.
  const Vector expected{-1.0 / 48, 2.0 / 48, -1.0 / 48};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(after[1].biases[i], expected[i], 1e-4);
  }
}

int exponent_of_first_layer(const TestEngine& engine) {
  const auto blob = engine.blob();
  return static_cast<std::int16_t>(blob[0] | blob[1] << 8);
}

// Two classes with almost equal logits: label 0 raises the weights of class 0 by half of the rate
// and lowers those of class 1.
TEST(TrainStep, AGrowingWeightHalvesItsLayerAndRaisesItsExponent) {
  const ModelSpec spec = mlp_spec({2, 2}, -14);
  TestEngine engine(spec, Purpose::kTraining);
  std::vector<std::uint8_t> blob;
  append_layer(blob, -10, {16300, 101, 16300, -300}, {1 << 16, 1 << 16});
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  const std::vector<std::int16_t> features{1 << 14, 0};
  ASSERT_TRUE(engine->train_step(features, 0, {1, 4}).ok());
  EXPECT_EQ(exponent_of_first_layer(engine), -10) << "16,332 is still below 2^14";
  ASSERT_TRUE(engine->train_step(features, 0, {1, 2}).ok());
  EXPECT_EQ(exponent_of_first_layer(engine), -9);
  const auto layer = values_of_blob(spec, engine.blob())[0];
  // Both steps ran at probabilities of about one half: 1/32 and almost 1/8.
  EXPECT_NEAR(layer.weights[0], std::ldexp(16300, -10) + 0.15, 0.01);
  EXPECT_NEAR(layer.weights[2], std::ldexp(16300, -10) - 0.15, 0.01);
  EXPECT_EQ(layer.weights[1], std::ldexp(50, -9)) << "101 halved, ties to even";
  EXPECT_EQ(layer.weights[3], std::ldexp(-300, -10)) << "halving keeps the value";
  EXPECT_NEAR(layer.biases[0], std::ldexp(1, -10) + 0.15, 0.01);
}

TEST(TrainStep, AGrowingBiasHalvesItsLayerToo) {
  const ModelSpec spec = mlp_spec({1, 2}, -14);
  TestEngine engine(spec, Purpose::kTraining);
  std::vector<std::uint8_t> blob;
  append_layer(blob, -10, {4, 4}, {(1 << 30) - 1, (1 << 30) - 1});
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  ASSERT_TRUE(engine->train_step(std::vector<std::int16_t>{0}, 0, {1, 4}).ok());
  EXPECT_EQ(exponent_of_first_layer(engine), -9);
  const auto layer = values_of_blob(spec, engine.blob())[0];
  EXPECT_NEAR(layer.biases[0], 16 + 1.0 / 32, 1e-4);
  EXPECT_NEAR(layer.biases[1], 16 - 1.0 / 32, 1e-4);
  EXPECT_EQ(layer.weights[0], std::ldexp(4, -10));
}

TEST(TrainStep, AtTheLargestExponentParametersSaturateInsteadOfWrapping) {
  const ModelSpec spec = mlp_spec({1, 2}, 15);
  TestEngine engine(spec, Purpose::kTraining);
  std::vector<std::uint8_t> blob;
  append_layer(blob, kMaxWeightExponent, {32700, 32700}, {INT32_MAX - 5, INT32_MAX - 5});
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  ASSERT_TRUE(engine->train_step(std::vector<std::int16_t>{INT16_MAX}, 0, {32767, 0}).ok());
  std::vector<std::uint8_t> expected;
  // One step moves a parameter by at most a quarter of its range: 2^14 and 2^30.
  append_layer(expected, kMaxWeightExponent, {32767, 32700 - (1 << 14)},
               {INT32_MAX, INT32_MAX - 5 - (1 << 30)});
  const auto got = values_of_blob(spec, engine.blob())[0];
  const auto wanted = values_of_blob(spec, expected)[0];
  EXPECT_EQ(got.weights[0], wanted.weights[0]);
  EXPECT_NEAR(got.weights[1], wanted.weights[1], 2);
  EXPECT_EQ(got.biases[0], wanted.biases[0]);
  EXPECT_NEAR(got.biases[1], wanted.biases[1], 2);
  EXPECT_EQ(exponent_of_first_layer(engine), kMaxWeightExponent);
}

TEST(TrainStep, OneStepMovesABiasByAtMostAQuarterOfItsRange) {
  const ModelSpec spec = mlp_spec({1, 2}, -15);
  TestEngine engine(spec, Purpose::kTraining);
  std::vector<std::uint8_t> blob;
  append_layer(blob, -20, {0, 0}, {0, 0});
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  ASSERT_TRUE(engine->train_step(std::vector<std::int16_t>{0}, 0, {32767, 0}).ok());
  const auto layer = values_of_blob(spec, engine.blob())[0];
  EXPECT_EQ(layer.biases[0], std::ldexp(1, 30 - 20 - 16));
  EXPECT_EQ(layer.biases[1], -std::ldexp(1, 30 - 20 - 16));
}

TEST(TrainStep, RoundingSeedsGiveDifferentWeightsAndTheSameSeedTheSame) {
  const auto train = [](std::uint32_t rounding_seed) {
    TestEngine engine(mlp_spec({6, 8, 3}, -15), Purpose::kTraining);
    EXPECT_EQ(engine->initialize(3), Status::kOk);
    engine->seed_rounding(rounding_seed);
    const std::vector<std::int16_t> features{30000, -20000, 10000, 3, 5000, -1};
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(engine->train_step(features, 2, {3, 9}).ok());
    return engine.blob();
  };
  EXPECT_EQ(train(1), train(1));
  EXPECT_NE(train(1), train(2));
  EXPECT_NE(train(0), train(1));
}

}  // namespace
}  // namespace skep::learn
