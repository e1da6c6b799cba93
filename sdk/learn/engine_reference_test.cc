// Every kind of layer, loss and optimizer against float64, forward and backward, with the bound
// that follows from the formats (bounded_step_test_support.h): random models, random and extreme
// numbers.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "bounded_step_test_support.h"
#include "checked_training_test_support.h"
#include "engine_test_support.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/golden_training.h"
#include "skep/learn_testing/owned_reference_network.h"
#include "skep/learn_testing/random_models.h"
#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

using Blob = std::vector<std::uint8_t>;
using Features = std::vector<std::int16_t>;

// All of the range, none of it, its ends, or a few small numbers.
Features draw_features(std::size_t count) {
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      return Features(count, 0);
    case 1:
      return *rc::gen::container<Features>(
          count, rc::gen::element<std::int16_t>(INT16_MIN, INT16_MAX, 0, 1, -1));
    case 2:
      return *rc::gen::container<Features>(count, rc::gen::inRange<std::int16_t>(0, 256));
    default: {
      Features features(count);
      Xorshift32 random(*rc::gen::arbitrary<std::uint32_t>());
      for (std::int16_t& feature : features)
        feature = static_cast<std::int16_t>(random.next() >> 16);
      return features;
    }
  }
}

// Weights of about the size that training starts from, with biases.
Blob draw_usual_blob(const ModelSpec& spec) {
  TestEngine engine(spec, Purpose::kInference);
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  EXPECT_EQ(engine->initialize(seed), Status::kOk);
  Blob blob = engine.blob();
  Xorshift32 random(seed + 1);
  for (const FusedLayer& layer : ParameterLayers(spec)) {
    for (std::uint32_t at = layer.biases_offset; at < layer.end_offset; at += 4) {
      for (int byte = 0; byte < 3; ++byte) {
        blob[at + byte] = static_cast<std::uint8_t>(random.next() >> 24);
      }
      blob[at + 3] = (blob[at + 2] & 0x80U) != 0 ? 0xFF : 0;  // 24 bits of 32
    }
  }
  return blob;
}

// Any exponent, all bits of weights and biases, or nothing but zeros.
Blob draw_extreme_blob(const ModelSpec& spec) {
  Blob blob;
  Xorshift32 random(*rc::gen::arbitrary<std::uint32_t>());
  for (const FusedLayer& layer : ParameterLayers(spec)) {
    const int exponent =
        *rc::gen::oneOf(rc::gen::element(kMinWeightExponent, kMaxWeightExponent),
                        rc::gen::inRange(kMinWeightExponent, kMaxWeightExponent + 1));
    const auto mask = *rc::gen::element<std::uint32_t>(0, 0xFFFFFFFFU, 0xFFFFFFFFU);
    std::vector<std::int16_t> weights(layer.weight_count);
    for (std::int16_t& weight : weights) {
      weight = static_cast<std::int16_t>((random.next() & mask) >> 16);
    }
    std::vector<std::int32_t> biases(layer.bias_count);
    for (std::int32_t& bias : biases) bias = static_cast<std::int32_t>(random.next() & mask);
    append_layer(blob, exponent, weights, biases);
  }
  return blob;
}

Optimizer draw_optimizer() {
  Optimizer optimizer;
  if (*rc::gen::arbitrary<bool>()) {
    optimizer.momentum_q15 = *rc::gen::inRange<std::uint16_t>(1, 32768);
  }
  if (*rc::gen::inRange(0, 3) == 0) {
    optimizer.proximal_mu_q16 = *rc::gen::inRange<std::uint32_t>(1, kMaxProximalMu_q16 + 1);
  }
  return optimizer;
}

// The engine's outputs, compared with float64's one by one.
void check_forward(const ModelSpec& spec, const Blob& blob, const Features& features) {
  TestEngine engine(spec, Purpose::kInference);
  RC_ASSERT(engine->load(SpanSource(blob)) == Status::kOk);
  const auto output = engine->forward(features);
  RC_ASSERT(output.ok());
  const BoundedPass pass(spec, blob, features);
  RC_ASSERT(pass.outputs().size() == output->values.size());
  for (std::size_t i = 0; i < output->values.size(); ++i) {
    const double got = std::ldexp(output->values[i], output->exponent);
    RC_ASSERT(std::abs(got - pass.outputs()[i].value) <= pass.outputs()[i].error);
  }
}

void check_training(const ModelSpec& spec, const Blob& blob, const Optimizer& optimizer,
                    LearningRate rate) {
  CheckedTraining training(spec, optimizer, blob, *rc::gen::arbitrary<std::uint32_t>());
  for (int step = 0; step < 3; ++step) {
    const Comparison comparison =
        training.step(draw_features(spec.inputs), learn_testing::draw_label(spec), rate);
    RC_ASSERT(comparison.worst <= 1.0);
  }
}

RC_GTEST_PROP(EngineReference, OutputsOfUsualModelsAreFloat64WithinTheBound, ()) {
  const ModelSpec spec = learn_testing::draw_model();
  check_forward(spec, draw_usual_blob(spec), draw_features(spec.inputs));
}

RC_GTEST_PROP(EngineReference, OutputsOfExtremeModelsAreFloat64WithinTheBound, ()) {
  ModelSpec spec = learn_testing::draw_model();
  spec.input_exponent = *rc::gen::inRange<std::int8_t>(kMinInputExponent, kMaxInputExponent + 1);
  check_forward(spec, draw_extreme_blob(spec), draw_features(spec.inputs));
}

RC_GTEST_PROP(EngineReference, StepsOfUsualModelsAreFloat64WithinTheBound, ()) {
  const ModelSpec spec = learn_testing::draw_model();
  const LearningRate rate{*rc::gen::inRange<std::uint16_t>(1, 8), 9};
  check_training(spec, draw_usual_blob(spec), draw_optimizer(), rate);
}

RC_GTEST_PROP(EngineReference, StepsOfExtremeModelsAreFloat64WithinTheBound, ()) {
  ModelSpec spec = learn_testing::draw_model();
  spec.input_exponent = *rc::gen::inRange<std::int8_t>(kMinInputExponent, kMaxInputExponent + 1);
  const LearningRate rate{*rc::gen::inRange<std::uint16_t>(1, 32768),
                          *rc::gen::inRange<std::uint8_t>(0, 31)};
  check_training(spec, draw_extreme_blob(spec), draw_optimizer(), rate);
}

// The loss is compared for the outputs as the engine has them.
RC_GTEST_PROP(EngineReference, LossesAreThoseOfTheOutputs, ()) {
  const ModelSpec spec = learn_testing::draw_model();
  const Features features = draw_features(spec.inputs);
  const std::uint16_t label = learn_testing::draw_label(spec);
  TestEngine engine(spec, Purpose::kInference);
  RC_ASSERT(engine->load(SpanSource(draw_usual_blob(spec))) == Status::kOk);
  const Output output = *engine->forward(features);
  std::vector<double> y;
  for (const int value : output.values) y.push_back(std::ldexp(value, output.exponent));
  const auto sample = learn_testing::values_of<double>(spec, features);
  const double expected = learn_testing::loss_of<double>(spec.loss, y, sample, label);
  const double got = std::ldexp(*engine->evaluate(features, label), -16);
  const bool squared = spec.loss == Loss::kMeanSquaredError;
  const double allowed = squared ? expected * 2e-4 + 0x1p-16 : 4e-4 + std::abs(expected) * 1e-4;
  RC_ASSERT(std::abs(got - std::min(expected, 65536 - 0x1p-16)) <= allowed);
}

// The bounds above could hide a wrong gradient only if they were wide. Here the mean error of all
// changes, stochastic rounding included, is below a hundredth of the changes themselves.
class MeanError : public testing::TestWithParam<std::size_t> {};

TEST_P(MeanError, OfAStepIsBelowOnePercentOfTheStep) {
  const learn_testing::GoldenTraining& training = learn_testing::kGoldenTrainings[GetParam()];
  const ModelSpec& spec = training.spec;
  // From large steps stochastic rounding takes little.
  const LearningRate rate{1, static_cast<std::uint8_t>(training.rate.shift - 2)};
  Features features(spec.inputs);
  Comparison total;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    TestEngine engine(spec, Purpose::kInference);
    ASSERT_EQ(engine->initialize(seed), Status::kOk);
    CheckedTraining checked(spec, training.optimizer, engine.blob(), seed);
    learn_testing::fill_golden_sample(seed, features);
    const Comparison one = checked.step(features, learn_testing::golden_label(spec, seed), rate);
    EXPECT_LE(one.worst, 1.0);
    total.change_sq += one.change_sq;
    total.mismatch_sq += one.mismatch_sq;
  }
  EXPECT_LT(total.relative_error(), 0.01);
  RecordProperty("relative_error", std::to_string(total.relative_error()));
}
INSTANTIATE_TEST_SUITE_P(EngineReference, MeanError,
                         testing::Range(std::size_t{0}, learn_testing::kGoldenTrainings.size()),
                         [](const auto& model) {
                           return std::string(learn_testing::kGoldenTrainings[model.param].name);
                         });

}  // namespace
}  // namespace skep::learn
