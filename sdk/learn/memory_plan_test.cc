#include "skep/learn/memory_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

using learn_testing::mlp_spec;

constexpr ModelSpec kDigits = mlp_spec({64, 32, 10}, -4);

TEST(MemoryPlan, IsAConstantExpression) {
  static_assert(plan_memory(kDigits).ok());
  static_assert(plan_memory(kDigits)->parameter_count == 64 * 32 + 32 + 32 * 10 + 10);
  static_assert(plan_memory(kDigits)->weights_blob_bytes == 4908);
  static_assert(plan_memory(ModelSpec{}).status() == Status::kInvalidArgument);
}

TEST(MemoryPlan, TrainingTheDigitsModelFitsItsBar) {
  // design.md, section 9: RAM to train MLP 64-32-10, weights included.
  static_assert(plan_memory(kDigits)->training_bytes <= 6 * 1024);
  EXPECT_EQ(plan_memory(kDigits)->training_bytes, 5452U);
  EXPECT_EQ(plan_memory(kDigits)->inference_bytes, 5236U);
}

ModelSpec with_layers(std::initializer_list<LayerSpec> layers) {
  ModelSpec spec;
  spec.inputs = 8;
  for (const LayerSpec& layer : layers) spec.layers[spec.layer_count++] = layer;
  return spec;
}

TEST(MemoryPlan, RefusesShapesThatAreNotModels) {
  const auto status = [](const ModelSpec& spec) { return plan_memory(spec).status(); };
  EXPECT_EQ(status(with_layers({})), Status::kInvalidArgument);
  EXPECT_EQ(status(with_layers({{LayerKind::kDense, 0}})), Status::kInvalidArgument);
  EXPECT_EQ(status(with_layers({{LayerKind::kDense, 5}, {LayerKind::kRelu, 4}})),
            Status::kInvalidArgument);
  EXPECT_EQ(status(with_layers({{LayerKind::kRelu, 8}})), Status::kUnsupported);
  EXPECT_EQ(status(with_layers({{static_cast<LayerKind>(0), 8}})), Status::kUnsupported);
  EXPECT_EQ(status(with_layers({{LayerKind::kDense, 5}, {static_cast<LayerKind>(12), 5}})),
            Status::kUnsupported);
  ModelSpec spec = kDigits;
  spec.inputs = 0;
  EXPECT_EQ(status(spec), Status::kInvalidArgument);
  spec = kDigits;
  spec.loss = static_cast<Loss>(0);
  EXPECT_EQ(status(spec), Status::kUnsupported);
}

TEST(MemoryPlan, RefusesInputExponentsOutOfRange) {
  for (int exponent = -128; exponent <= 127; ++exponent) {
    ModelSpec spec = kDigits;
    spec.input_exponent = static_cast<std::int8_t>(exponent);
    EXPECT_EQ(plan_memory(spec).ok(), exponent >= -30 && exponent <= 15) << exponent;
  }
}

TEST(MemoryPlan, RefusesWhatIsTooLarge) {
  constexpr auto kWidest = static_cast<std::uint16_t>(kMaxLayerWidth);
  ModelSpec spec = with_layers({{LayerKind::kDense, kWidest + 1}});
  EXPECT_EQ(plan_memory(spec).status(), Status::kTooLarge);
  spec = with_layers({{LayerKind::kDense, 1}});
  spec.inputs = kWidest + 1;
  EXPECT_EQ(plan_memory(spec).status(), Status::kTooLarge);
  spec.inputs = kWidest;
  EXPECT_TRUE(plan_memory(spec).ok());
  spec.layers[0].outputs = kWidest;  // 2^24 parameters
  EXPECT_EQ(plan_memory(spec).status(), Status::kTooLarge);

  for (const unsigned count : {kMaxLayers + 1, 255U}) {
    spec = with_layers({{LayerKind::kDense, 1}});
    spec.layer_count = static_cast<std::uint8_t>(count);
    EXPECT_EQ(plan_memory(spec).status(), Status::kTooLarge);
  }
}

TEST(MemoryPlan, TheBoundOfParametersIsExact) {
  static_assert(kMaxParameters == 262144);
  ModelSpec spec = with_layers({{LayerKind::kDense, 512}});
  spec.inputs = 511;  // (511 + 1) * 512 = 2^18
  ASSERT_TRUE(plan_memory(spec).ok());
  EXPECT_EQ(plan_memory(spec)->parameter_count, kMaxParameters);
  spec.inputs = 512;
  EXPECT_EQ(plan_memory(spec).status(), Status::kTooLarge);
}

// Any bytes at all in a ModelSpec, as a decoder without checks would deliver them.
ModelSpec arbitrary_spec() {
  ModelSpec spec;
  const auto width = rc::gen::weightedOneOf<std::uint16_t>(
      {{4, rc::gen::inRange<std::uint16_t>(1, 300)}, {1, rc::gen::arbitrary<std::uint16_t>()}});
  spec.inputs = *width;
  spec.input_exponent = *rc::gen::arbitrary<std::int8_t>();
  spec.loss = *rc::gen::element(Loss::kSoftmaxCrossEntropy, static_cast<Loss>(7));
  spec.layer_count = *rc::gen::arbitrary<std::uint8_t>();
  for (LayerSpec& layer : spec.layers) {
    layer = {static_cast<LayerKind>(*rc::gen::inRange(0, 4)), *width};
  }
  return spec;
}

RC_GTEST_PROP(MemoryPlan, NeverReadsOrComputesOutOfBounds, ()) {
  const ModelSpec spec = arbitrary_spec();
  const Result<MemoryPlan> plan = plan_memory(spec);
  if (plan.ok()) RC_ASSERT(plan->parameter_count <= kMaxParameters);
}

RC_GTEST_PROP(MemoryPlan, CountsWhatTheLayersAddUpTo, ()) {
  ModelSpec spec;
  spec.inputs = *rc::gen::inRange<std::uint16_t>(1, 60);
  spec.layer_count = *rc::gen::inRange<std::uint8_t>(1, kMaxLayers + 1);
  std::uint64_t parameters = 0;
  std::uint64_t blob_bytes = 0;
  std::uint64_t width = spec.inputs;
  for (std::size_t i = 0; i < spec.layer_count; ++i) {
    if (i > 0 && *rc::gen::arbitrary<bool>()) {
      spec.layers[i] = {LayerKind::kRelu, static_cast<std::uint16_t>(width)};
      continue;
    }
    spec.layers[i] = {LayerKind::kDense, *rc::gen::inRange<std::uint16_t>(1, 60)};
    const std::uint64_t outputs = spec.layers[i].outputs;
    parameters += width * outputs + outputs;
    blob_bytes += 2 + 2 * width * outputs + 4 * outputs;
    width = outputs;
  }
  const Result<MemoryPlan> plan = plan_memory(spec);
  RC_ASSERT(plan.ok());
  RC_ASSERT(plan->parameter_count == parameters);
  RC_ASSERT(plan->weights_blob_bytes == blob_bytes);
  RC_ASSERT(plan->inference_bytes <= plan->training_bytes);
}

}  // namespace
}  // namespace skep::learn
