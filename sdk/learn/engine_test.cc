// The life of an engine: memory, arguments, inference. Training has engine_training_test.cc,
// weights in and out engine_weights_test.cc.
#include "skep/learn/engine.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "engine_internal.h"
#include "engine_test_support.h"
#include "normalize.h"
#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

using learn_testing::mlp_spec;

constexpr ModelSpec kSmall = mlp_spec({5, 7, 3}, -15);
constexpr LearningRate kRate{1, 4};

TEST(EngineCreate, RefusesLessMemoryThanThePlanAndLeavesItAlone) {
  for (const Purpose purpose : {Purpose::kInference, Purpose::kTraining}) {
    const MemoryPlan plan = *plan_memory(kSmall);
    const std::uint32_t needed =
        purpose == Purpose::kTraining ? plan.training_bytes : plan.inference_bytes;
    std::vector<std::byte> memory(needed, std::byte{0xA5});
    EXPECT_EQ(Engine::create(kSmall, purpose, std::span(memory).first(needed - 1)).status(),
              Status::kNoMemory);
    EXPECT_EQ(Engine::create(kSmall, purpose, {}).status(), Status::kNoMemory);
    EXPECT_EQ(memory, std::vector<std::byte>(needed, std::byte{0xA5}));
    EXPECT_TRUE(Engine::create(kSmall, purpose, memory).ok());
  }
}

TEST(EngineCreate, RefusesUnalignedMemoryAndBadSpecs) {
  std::vector<std::byte> memory(4096);
  EXPECT_EQ(Engine::create(kSmall, Purpose::kTraining, std::span(memory).subspan(4)).status(),
            Status::kInvalidArgument);
  EXPECT_EQ(Engine::create(ModelSpec{}, Purpose::kTraining, memory).status(),
            Status::kInvalidArgument);
  ModelSpec wide = kSmall;
  wide.layers[0].outputs = kMaxLayerWidth + 1;
  EXPECT_EQ(Engine::create(wide, Purpose::kTraining, memory).status(), Status::kTooLarge);
}

// Trains and infers in memory that is `fill` before, between and after calls; returns the memory.
std::vector<std::byte> memory_after_use(const ModelSpec& spec, Purpose purpose, std::byte fill) {
  const MemoryPlan plan = *plan_memory(spec);
  const std::uint32_t size =
      purpose == Purpose::kTraining ? plan.training_bytes : plan.inference_bytes;
  std::vector<std::byte> memory(size, fill);
  Engine engine = *Engine::create(spec, purpose, memory);
  // create() zeroes; from here on only what the engine really uses changes.
  std::vector<std::uint8_t> blob(plan.weights_blob_bytes);
  EXPECT_EQ(engine.initialize(3), Status::kOk);
  EXPECT_EQ(engine.store(blob), Status::kOk);
  for (std::uint8_t& byte : blob) byte = byte == 0 ? 1 : byte;  // exponents stay in range below
  for (const FusedLayer& layer : ParameterLayers(spec)) {
    blob[layer.exponent_offset] = 0xF4;  // −12
    blob[layer.exponent_offset + 1] = 0xFF;
  }
  std::fill(memory.begin(), memory.end(), fill);
  EXPECT_EQ(engine.load(SpanSource(blob)), Status::kOk);
  engine.seed_rounding(5);
  const std::vector<std::int16_t> features(spec.inputs, 1234);
  EXPECT_TRUE(engine.forward(features).ok());
  if (purpose == Purpose::kTraining) {
    EXPECT_TRUE(engine.train_step(features, 1, {1, 4}).ok());
  }
  return memory;
}

TEST(EngineCreate, UsesEveryByteThatItAsksFor) {
  // A byte that keeps two different fillings is one that no call wrote: an over-estimate. (ASan
  // and the exact size of the allocation show the opposite: nothing is used beyond the plan.)
  for (const Purpose purpose : {Purpose::kInference, Purpose::kTraining}) {
    for (const ModelSpec& spec :
         {kSmall, mlp_spec({64, 32, 10}, -4), mlp_spec({3, 9, 2, 5}, -15), mlp_spec({1, 2}, -15)}) {
      const auto a = memory_after_use(spec, purpose, std::byte{0x11});
      const auto b = memory_after_use(spec, purpose, std::byte{0xEE});
      for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_FALSE(a[i] == std::byte{0x11} && b[i] == std::byte{0xEE}) << "byte " << i;
      }
    }
  }
}

TEST(EngineCreate, TheWholeTrainerOfDigitsTakesLessThanSixKilobytes) {
  // design.md, section 9: RAM to train MLP 64-32-10, weights included; here the handle, too.
  TestEngine engine(mlp_spec({64, 32, 10}, -4), Purpose::kTraining);
  EXPECT_LE(engine.plan().training_bytes + sizeof(Engine), 6U * 1024U);
  ::testing::Test::RecordProperty("training_bytes", static_cast<int>(engine.plan().training_bytes));
}

TEST(Engine, CopiesWorkOnTheSameModel) {
  TestEngine original(kSmall, Purpose::kTraining);
  ASSERT_EQ(original->initialize(1), Status::kOk);
  Engine copy = *original;
  const Engine assigned = copy;
  const std::vector<std::int16_t> features{1, -2, 3, -4, 30000};
  ASSERT_TRUE(copy.train_step(features, 1, kRate).ok());
  EXPECT_EQ(assigned.predicted_class().value(), original->predicted_class().value());
  std::vector<std::uint8_t> blob(original.plan().weights_blob_bytes);
  ASSERT_EQ(assigned.store(blob), Status::kOk);
  EXPECT_EQ(blob, original.blob());
}

TEST(Engine, WrongArgumentsChangeNothing) {
  TestEngine engine(kSmall, Purpose::kTraining);
  ASSERT_EQ(engine->initialize(1), Status::kOk);
  const auto before = engine.blob();
  const std::vector<std::int16_t> four(4, 1);
  const std::vector<std::int16_t> five(5, 1);
  const std::vector<std::int16_t> six(6, 1);
  for (const auto& features : {four, six, std::vector<std::int16_t>{}}) {
    EXPECT_EQ(engine->forward(features).status(), Status::kInvalidArgument);
    EXPECT_EQ(engine->train_step(features, 0, kRate).status(), Status::kInvalidArgument);
  }
  EXPECT_EQ(engine->train_step(five, 3, kRate).status(), Status::kInvalidArgument);
  EXPECT_EQ(engine->train_step(five, 65535, kRate).status(), Status::kInvalidArgument);
  for (const LearningRate rate : {LearningRate{0, 4}, {32768, 4}, {65535, 0}, {1, 31}, {1, 255}}) {
    EXPECT_EQ(engine->train_step(five, 0, rate).status(), Status::kInvalidArgument);
  }
  EXPECT_EQ(engine.blob(), before);
  EXPECT_EQ(engine->predicted_class().status(), Status::kInvalidArgument);
  TestEngine same(kSmall, Purpose::kTraining);
  ASSERT_EQ(same->initialize(1), Status::kOk);
  ASSERT_TRUE(engine->train_step(five, 0, kRate).ok());
  ASSERT_TRUE(same->train_step(five, 0, kRate).ok());
  EXPECT_EQ(engine.blob(), same.blob()) << "a refused step consumed randomness";
}

TEST(Engine, AnEngineForInferenceDoesNotTrain) {
  TestEngine engine(kSmall, Purpose::kInference);
  const std::vector<std::int16_t> features(5, 1);
  EXPECT_EQ(engine->train_step(features, 0, kRate).status(), Status::kUnsupported);
  EXPECT_TRUE(engine->forward(features).ok());
}

TEST(Engine, APredictionNeedsAForwardOnTheWeights) {
  TestEngine engine(kSmall, Purpose::kTraining);
  const std::vector<std::int16_t> features(5, 1);
  const auto blob = engine.blob();
  EXPECT_EQ(engine->predicted_class().status(), Status::kInvalidArgument);
  EXPECT_TRUE(engine->evaluate(features, 2).ok());
  EXPECT_TRUE(engine->predicted_class().ok());
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  EXPECT_EQ(engine->predicted_class().status(), Status::kInvalidArgument);
  ASSERT_TRUE(engine->forward(features).ok());
  ASSERT_EQ(engine->initialize(1), Status::kOk);
  EXPECT_EQ(engine->predicted_class().status(), Status::kInvalidArgument);
}

TEST(Engine, ZeroWeightsKnowNothing) {
  TestEngine engine(mlp_spec({4, 10}, 0), Purpose::kInference);
  const std::vector<std::int16_t> features{INT16_MIN, INT16_MAX, 0, 1};
  const Result<Output> output = engine->forward(features);
  ASSERT_TRUE(output.ok());
  ASSERT_EQ(output->values.size(), 10U);
  for (const std::int16_t logit : output->values) EXPECT_EQ(logit, 0);
  EXPECT_NEAR(*engine->evaluate(features, 4) / 65536.0, std::log(10.0), 1e-4);
  EXPECT_EQ(*engine->predicted_class(), 0) << "the lowest of equals";
}

TEST(Engine, ComputesASmallModelByHand) {
  // y = relu([2 −1; −3 1] x + [0.5; 0]), z = [1 0; −2 4] y, x = [1.5; 0.25]: y = [3.25; 0].
  TestEngine engine(mlp_spec({2, 2, 2}, -8), Purpose::kInference);
  std::vector<std::uint8_t> blob;
  append_layer(blob, -4, {2 << 4, -1 * (1 << 4), -3 * (1 << 4), 1 << 4}, {1 << 19, 0});
  append_layer(blob, -2, {1 << 2, 0, -2 * (1 << 2), 4 << 2}, {0, 0});
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  const std::vector<std::int16_t> features{3 << 7, 1 << 6};
  const Result<Output> output = engine->forward(features);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(std::ldexp(output->values[0], output->exponent), 3.25);
  EXPECT_EQ(std::ldexp(output->values[1], output->exponent), -6.5);
  EXPECT_EQ(*engine->predicted_class(), 0);
  EXPECT_NEAR(*engine->evaluate(features, 1) / 65536.0, 9.75 + std::log1p(std::exp(-9.75)), 5e-4);
}

ModelSpec random_spec() {
  ModelSpec spec;
  spec.inputs = *rc::gen::inRange<std::uint16_t>(1, 24);
  spec.input_exponent = *rc::gen::inRange<std::int8_t>(kMinInputExponent, kMaxInputExponent + 1);
  spec.layer_count = *rc::gen::inRange<std::uint8_t>(1, kMaxLayers + 1);
  std::uint16_t width = spec.inputs;
  for (std::size_t i = 0; i < spec.layer_count; ++i) {
    const bool relu = i > 0 && *rc::gen::arbitrary<bool>();
    if (!relu) width = *rc::gen::inRange<std::uint16_t>(1, 24);
    spec.layers[i] = {relu ? LayerKind::kRelu : LayerKind::kDense, width};
  }
  return spec;
}

RC_GTEST_PROP(Engine, InferenceAndTrainingEnginesAgreeOnAnyModel, ()) {
  // Any valid spec with any weights, extreme exponents included: no undefined behaviour (the
  // sanitizers watch), and both kinds of engine compute the same bits.
  const ModelSpec spec = random_spec();
  TestEngine training(spec, Purpose::kTraining);
  TestEngine inference(spec, Purpose::kInference);
  auto blob = *rc::gen::container<std::vector<std::uint8_t>>(training.plan().weights_blob_bytes,
                                                             rc::gen::arbitrary<std::uint8_t>());
  for (const FusedLayer& layer : ParameterLayers(spec)) {
    const int exponent = *rc::gen::inRange(kMinWeightExponent, kMaxWeightExponent + 1);
    blob[layer.exponent_offset] = static_cast<std::uint8_t>(exponent);
    blob[layer.exponent_offset + 1] = static_cast<std::uint8_t>(exponent >> 8);
  }
  RC_ASSERT(training->load(SpanSource(blob)) == Status::kOk);
  RC_ASSERT(inference->load(SpanSource(blob)) == Status::kOk);
  const auto features = *rc::gen::container<std::vector<std::int16_t>>(
      spec.inputs, rc::gen::arbitrary<std::int16_t>());
  const auto label = *rc::gen::inRange<std::uint16_t>(0, spec.outputs());

  const Result<Output> a = training->forward(features);
  const Result<Output> b = inference->forward(features);
  RC_ASSERT(a->exponent == b->exponent);
  RC_ASSERT(std::vector(a->values.begin(), a->values.end()) ==
            std::vector(b->values.begin(), b->values.end()));
  // The exponent leaves no precision unused: the largest logit has 15 bits, unless all are zero
  // or the exponent is at its floor.
  int largest = 0;
  for (const int logit : a->values) largest = std::max(largest, std::abs(logit));
  RC_ASSERT(largest >= 1 << 14 || largest == 0 || a->exponent == kMinActivationExponent);
  const std::uint32_t loss = *inference->evaluate(features, label);
  const LearningRate rate{*rc::gen::inRange<std::uint16_t>(1, 32768),
                          *rc::gen::inRange<std::uint8_t>(0, 31)};
  RC_ASSERT(*training->train_step(features, label, rate) == loss);
  for (int i = 0; i < 3; ++i) RC_ASSERT(training->train_step(features, label, rate).ok());
}

}  // namespace
}  // namespace skep::learn
