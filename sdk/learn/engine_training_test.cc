// One step of SGD against float64, with a bound that follows from the formats; overflow; extremes.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine_test_support.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/float_mlp.h"
#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

using learn_testing::Mlp;
using learn_testing::mlp_spec;
using Vector = std::vector<double>;

double largest_magnitude(const Vector& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// A vector in float64 and how far the engine's may be from it, element by element.
struct Bounded {
  Vector value;
  Vector error;
};

// int16 with an exponent that gives the largest magnitude 15 bits: half a unit of rounding, or a
// whole one where rounding up the largest saturates. The unit is at most 2^-14 of the largest.
void add_normalization_error(Bounded& vector, double smallest_unit) {
  const double largest = largest_magnitude(vector.value) + largest_magnitude(vector.error);
  const double unit = std::max(std::ldexp(largest, -14), smallest_unit);
  for (double& error : vector.error) error += unit;
}

Bounded forward_layer(const Mlp<double>::Layer& layer, const Bounded& input) {
  Bounded out{layer.biases, Vector(layer.outputs, 0.0)};
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    for (std::size_t i = 0; i < layer.inputs; ++i) {
      const double w = layer.weights[j * layer.inputs + i];
      out.value[j] += w * input.value[i];
      out.error[j] += std::abs(w) * input.error[i];
    }
    if (layer.rectified) out.value[j] = std::max(out.value[j], 0.0);
  }
  // The bias is aligned at no coarser a unit than the sum is later rounded to.
  add_normalization_error(out, std::ldexp(1, -36));
  return out;
}

Bounded softmax_gradient_of(const Bounded& logits, std::size_t label) {
  Bounded delta = logits;
  const double top = *std::max_element(logits.value.begin(), logits.value.end());
  double sum = 0;
  for (double& value : delta.value) sum += value = std::exp(value - top);
  const double shift = largest_magnitude(logits.error);
  for (std::size_t i = 0; i < delta.value.size(); ++i) {
    const double p = delta.value[i] / sum;
    delta.value[i] = p - (i == label ? 1 : 0);
    // Logits off by up to `shift` move p by a factor of e^±2shift; then softmax's own error.
    delta.error[i] = p * std::expm1(2 * shift) + 3.2e-4 * p + 1.6 / 32768;
  }
  return delta;
}

// The gradient with respect to the layer's input.
Bounded backward_layer(const Mlp<double>::Layer& layer, const Bounded& input, const Bounded& delta,
                       bool input_rectified) {
  Bounded gradient{Vector(layer.inputs, 0.0), Vector(layer.inputs, 0.0)};
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    for (std::size_t i = 0; i < layer.inputs; ++i) {
      const double w = layer.weights[j * layer.inputs + i];
      gradient.value[i] += w * delta.value[j];
      gradient.error[i] += std::abs(w) * delta.error[j];
    }
  }
  Vector flipped(layer.inputs, 0.0);
  for (std::size_t i = 0; input_rectified && i < layer.inputs; ++i) {
    // A unit so close to the kink may be dead in one computation and alive in the other.
    if (input.value[i] <= input.error[i]) flipped[i] = std::abs(gradient.value[i]);
    if (input.value[i] <= 0) gradient.value[i] = 0;
  }
  for (std::size_t i = 0; i < layer.inputs; ++i) gradient.error[i] += flipped[i];
  add_normalization_error(gradient, 0);
  return gradient;
}

struct Comparison {
  double worst = 0;        // |difference| / bound, ≤ 1
  double change_sq = 0;    // Σ (float64's change)²
  double mismatch_sq = 0;  // Σ (engine's change − float64's)²
};

// Compares the engine's parameters after a step with float64's: allowed are the errors of the
// gradient's two factors, one unit of stochastic rounding, and half a unit if the layer was halved.
void compare_layer(const Mlp<double>::Layer& before, const Mlp<double>::Layer& after,
                   double weight_unit, double rate, const Bounded& input, const Bounded& delta,
                   Comparison& comparison) {
  const auto check = [&](double w0, double w1, double x, double x_error, std::size_t j,
                         double unit) {
    const double change = -rate * delta.value[j] * x;
    const double gradient_error =
        std::abs(delta.value[j]) * x_error + delta.error[j] * (std::abs(x) + x_error);
    const double mismatch = w1 - w0 - change;
    comparison.worst =
        std::max(comparison.worst, std::abs(mismatch) / (rate * gradient_error + 1.501 * unit));
    comparison.change_sq += change * change;
    comparison.mismatch_sq += mismatch * mismatch;
  };
  for (std::size_t j = 0; j < before.outputs; ++j) {
    for (std::size_t i = 0; i < before.inputs; ++i) {
      const std::size_t at = j * before.inputs + i;
      check(before.weights[at], after.weights[at], input.value[i], input.error[i], j, weight_unit);
    }
    check(before.biases[j], after.biases[j], 1, 0, j, std::ldexp(weight_unit, -16));
  }
}

Mlp<double> network_of(const ModelSpec& spec, const std::vector<std::uint8_t>& blob) {
  Mlp<double> mlp;
  for (const FusedLayer& layer : ParameterLayers(spec)) {
    const std::uint32_t next = layer.layer_index + 1;
    const bool rectified = next < spec.layer_count && spec.layers[next].kind == LayerKind::kRelu;
    mlp.add_layer(layer.input.channels, layer.output.channels, rectified);
  }
  learn_testing::load_weights_blob(mlp, blob);
  return mlp;
}

Vector weight_units(const ModelSpec& spec, const std::vector<std::uint8_t>& blob) {
  Vector units;
  for (const FusedLayer& layer : ParameterLayers(spec)) {
    const auto exponent = static_cast<std::int16_t>(blob[layer.exponent_offset] |
                                                    blob[layer.exponent_offset + 1] << 8);
    units.push_back(std::ldexp(1, exponent));
  }
  return units;
}

// Trains one step and compares all parameters, and the loss.
Comparison check_step(const ModelSpec& spec, std::uint32_t seed,
                      const std::vector<std::int16_t>& features, std::uint16_t label,
                      LearningRate rate, int warm_up_steps) {
  TestEngine engine(spec, Purpose::kTraining);
  EXPECT_EQ(engine->initialize(seed), Status::kOk);
  engine->seed_rounding(seed);
  // A few steps give the biases values.
  for (int i = 0; i < warm_up_steps; ++i) {
    EXPECT_TRUE(engine->train_step(features, label, rate).ok());
  }
  const Mlp<double> before = network_of(spec, engine.blob());
  EXPECT_TRUE(engine->train_step(features, label, rate).ok());
  const Mlp<double> after = network_of(spec, engine.blob());
  const Vector units = weight_units(spec, engine.blob());

  Bounded x{{}, Vector(features.size(), 0.0)};
  for (const int value : features) x.value.push_back(std::ldexp(value, spec.input_exponent));
  std::vector<Bounded> inputs{x};
  for (const auto& layer : before.layers()) inputs.push_back(forward_layer(layer, inputs.back()));

  Comparison comparison;
  Bounded delta = softmax_gradient_of(inputs.back(), label);
  for (std::size_t k = before.layers().size(); k-- > 0;) {
    compare_layer(before.layers()[k], after.layers()[k], units[k],
                  std::ldexp(rate.mantissa, -rate.shift), inputs[k], delta, comparison);
    if (k == 0) break;
    delta = backward_layer(before.layers()[k], inputs[k], delta, before.layers()[k - 1].rectified);
  }
  return comparison;
}

RC_GTEST_PROP(TrainStep, MatchesFloat64WithinTheBoundOfTheFormats, ()) {
  std::vector<std::uint16_t> widths;
  const auto depth = *rc::gen::inRange(1, 4);
  for (int i = 0; i <= depth; ++i) widths.push_back(*rc::gen::inRange<std::uint16_t>(2, 40));
  ModelSpec spec;
  spec.inputs = widths[0];
  spec.input_exponent = -15;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    spec.layers[spec.layer_count++] = {LayerKind::kDense, widths[i]};
    const bool relu = i + 1 < widths.size() && *rc::gen::inRange(0, 3) != 0;
    if (relu) spec.layers[spec.layer_count++] = {LayerKind::kRelu, widths[i]};
  }
  const auto features = *rc::gen::container<std::vector<std::int16_t>>(
      spec.inputs, rc::gen::arbitrary<std::int16_t>());
  const auto label = *rc::gen::inRange<std::uint16_t>(0, spec.outputs());
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const LearningRate rate{*rc::gen::inRange<std::uint16_t>(1, 8), 9};
  const Comparison comparison = check_step(spec, seed, features, label, rate, 3);
  RC_ASSERT(comparison.worst <= 1.0);
}

TEST(TrainStep, GradientOfTheDigitsModelIsAccurateToAFewPercent) {
  // The bound above could hide a wrong gradient only if it were wide: here the mean error of the
  // weights' changes, stochastic rounding included, is small against the changes themselves.
  const ModelSpec spec = mlp_spec({64, 32, 10}, -4);
  Comparison total;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::vector<std::int16_t> features(64);
    for (std::size_t i = 0; i < 64; ++i) {
      features[i] = static_cast<std::int16_t>((i * 7 + seed * 5) % 17);
    }
    const Comparison one =
        check_step(spec, seed, features, static_cast<std::uint16_t>(seed % 10), {1, 5}, 0);
    EXPECT_LE(one.worst, 1.0);
    total.change_sq += one.change_sq;
    total.mismatch_sq += one.mismatch_sq;
  }
  EXPECT_LT(std::sqrt(total.mismatch_sq / total.change_sq), 0.02);
  RecordProperty("relative_error", std::to_string(std::sqrt(total.mismatch_sq / total.change_sq)));
}

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
  const Mlp<double> before = network_of(spec, engine.blob());
  const std::vector<std::int16_t> zeros(4, 0);
  ASSERT_TRUE(engine->train_step(zeros, 1, {1, 4}).ok());
  const Mlp<double> after = network_of(spec, engine.blob());
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(after.layers()[k].weights, before.layers()[k].weights);
  }
  // The hidden layer's output is all zero, so its units are dead; the last layer's biases move.
  const Vector expected{-1.0 / 48, 2.0 / 48, -1.0 / 48};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(after.layers()[1].biases[i], expected[i], 1e-4);
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
  const auto layer = network_of(spec, engine.blob()).layers()[0];
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
  const auto layer = network_of(spec, engine.blob()).layers()[0];
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
  const auto got = network_of(spec, engine.blob()).layers()[0];
  const auto wanted = network_of(spec, expected).layers()[0];
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
  const auto layer = network_of(spec, engine.blob()).layers()[0];
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
