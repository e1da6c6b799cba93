#include "skep/exchange/model_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "skep/exchange/describe.h"

namespace skep::exchange {
namespace {

constexpr const char* kSeries = R"(
# what follows from the rest is left out
inputs: 60 input_width: 20 input_exponent: -9
layers { kind: LAYER_KIND_CONV outputs: 4 kernel_width: 5 pad_left: 2 pad_right: 2 }
layers { kind: LAYER_KIND_RELU }
layers { kind: LAYER_KIND_AVERAGE_POOL kernel_width: 4 }
layers { kind: LAYER_KIND_FLATTEN }
layers { kind: LAYER_KIND_DENSE outputs: 2 }
)";

Status status_of(const std::string& text, std::string* message = nullptr) {
  try {
    (void)parse_model_text(text, "x.textproto");
    return Status::kOk;
  } catch (const ExchangeError& error) {
    EXPECT_EQ(std::string(error.what()).find("x.textproto"), 0U) << error.what();
    for (const char c : std::string(error.what())) EXPECT_TRUE(c >= ' ' && c <= '~');
    if (message != nullptr) *message = error.what();
    return error.status();
  }
}

std::string message_of(const std::string& text) {
  std::string message = "(no error)";
  (void)status_of(text, &message);
  return message;
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = kSeries;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ModelText, CompletesWhatFollowsFromTheRest) {
  const ModelSpec spec = parse_model_text(kSeries, "x");
  EXPECT_EQ(spec.input_shape(), (Shape{1, 20, 3}));
  EXPECT_EQ(spec.input_exponent, -9);
  EXPECT_EQ(spec.loss, Loss::kSoftmaxCrossEntropy);
  ASSERT_EQ(spec.layer_count, 5);
  EXPECT_EQ(spec.layers[0].window, (Window{.height = 1,
                                           .width = 5,
                                           .stride_height = 1,
                                           .stride_width = 1,
                                           .pad_left = 2,
                                           .pad_right = 2}));
  EXPECT_EQ(spec.layers[2].window.stride_width, 4);  // a pool's stride is its kernel
  EXPECT_EQ(spec.layers[2].outputs, 4);
  EXPECT_EQ(spec.layers[3].outputs, 20);
  EXPECT_EQ(parse_model_text(format_model_text(spec), "x"), spec);
}

TEST(ModelText, SaysWhereAndWhatWasExpected) {
  EXPECT_EQ(
      message_of(with("LAYER_KIND_RELU", "LAYER_KIND_GRU")).find("x.textproto, line 5, column"),
      0U);
  EXPECT_EQ(message_of(with("kernel_width: 5", "kernel_width: 500")),
            "x.textproto, layer 0: kernel_width is 500: expected 0 to 255");
  EXPECT_EQ(message_of(with("inputs: 60", "inputs: 61")),
            "x.textproto: the spec is not a model that can run: 61 inputs of height 1 and width "
            "20: expected a multiple of their product");
  EXPECT_EQ(message_of(with("kernel_width: 4", "kernel_width: 40")),
            "x.textproto: the spec is not a model that can run: layer 2 (average_pool): its "
            "kernel of 1x40 does not fit the padded input (input 1x20x4)");
  EXPECT_EQ(message_of(with("layers { kind: LAYER_KIND_FLATTEN }", "")),
            "x.textproto: the spec is not a model that can run: layer 3 (dense): expected a plain "
            "vector, not 1x5x4: put a flatten or a global_average_pool before it");
}

TEST(ModelText, RefusesWithTheStatusOfTheFault) {
  EXPECT_EQ(status_of(""), Status::kInvalidArgument);
  EXPECT_EQ(status_of("inputs: 5"), Status::kTooLarge);  // no layer
  EXPECT_EQ(status_of("inputs 5"), Status::kMalformed);
  EXPECT_EQ(status_of("\x01\xff"), Status::kMalformed);
  EXPECT_EQ(status_of(std::string(kMaxModelTextBytes + 1, ' ')), Status::kTooLarge);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 inputs: 60")), Status::kMalformed);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 colour: 1")), Status::kMalformed);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: -60")), Status::kMalformed);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 99999")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("-9", "-31")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("LAYER_KIND_RELU", "12")), Status::kUnsupported);
  EXPECT_EQ(status_of(with("LAYER_KIND_RELU", "257")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("LAYER_KIND_RELU", "LAYER_KIND_LEAKY_RELU")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("pad_left: 2", "pad_left: 5")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("outputs: 2 }", "outputs: 0 }")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 frozen_layers: 5")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 frozen_layers: 6")), Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 loss: LOSS_MEAN_SQUARED_ERROR")),
            Status::kInvalidArgument);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 version: 2")), Status::kOk);
  EXPECT_EQ(status_of(with("inputs: 60", "inputs: 60 version: 1")), Status::kMalformed);
  EXPECT_EQ(status_of(with("kind: LAYER_KIND_RELU", "kind: LAYER_KIND_RELU outputs: 5")),
            Status::kInvalidArgument);
  EXPECT_EQ(status_of("inputs: 600 layers { kind: LAYER_KIND_DENSE outputs: 600 }"),
            Status::kTooLarge);
}

TEST(ModelText, OptimizersOutOfRangeAreNamed) {
  const ModelSpec spec = parse_model_text(kSeries, "x");
  try {
    (void)require_plan(spec, {.momentum_q15 = 32768});
    FAIL();
  } catch (const ExchangeError& error) {
    EXPECT_NE(std::string(error.what()).find("optimizer"), std::string::npos);
  }
}

RC_GTEST_PROP(ModelText, WhateverPlanMemoryRefusesIsExplained, ()) {
  // Random fields: nearly all of them are refused, each with a reason.
  const auto any = [](int low, int high) { return *rc::gen::inRange(low, high + 1); };
  ModelSpec spec;
  spec.inputs = static_cast<std::uint16_t>(any(0, 40));
  spec.input_width = static_cast<std::uint16_t>(any(0, 5));
  spec.input_exponent = static_cast<std::int8_t>(any(-33, 17));
  spec.loss = static_cast<Loss>(any(1, 3));
  spec.layer_count = static_cast<std::uint8_t>(any(0, 5));
  spec.frozen_layers = static_cast<std::uint8_t>(any(0, 5));
  for (int i = 0; i < spec.layer_count; ++i) {
    LayerSpec& layer = spec.layers[static_cast<std::size_t>(i)];
    layer.kind = static_cast<LayerKind>(any(1, 12));
    layer.outputs = static_cast<std::uint16_t>(any(0, 8));
    if (has_window(layer.kind) || any(0, 4) == 0) {
      layer.window = {.height = 1,
                      .width = static_cast<std::uint8_t>(any(0, 4)),
                      .stride_height = 1,
                      .stride_width = static_cast<std::uint8_t>(any(0, 2)),
                      .pad_left = static_cast<std::uint8_t>(any(0, 2))};
    }
    if (layer.kind == LayerKind::kLeakyRelu || any(0, 9) == 0) {
      layer.negative_slope_q15 = static_cast<std::uint16_t>(any(0, 40000));
    }
  }
  const Result<learn::MemoryPlan> plan = learn::plan_memory(spec);
  try {
    RC_ASSERT(require_plan(spec) == *plan);
    RC_ASSERT(plan.ok());
    RC_ASSERT(parse_model_text(format_model_text(spec), "x") == spec);
  } catch (const ExchangeError& error) {
    RC_ASSERT(error.status() == plan.status());
    const std::string text = error.what();
    // The last resort's text fits only one case, which these small specs cannot be.
    RC_ASSERT(text.find("parameters") == std::string::npos);
  }
}

}  // namespace
}  // namespace skep::exchange
