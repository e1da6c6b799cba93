#include "layer_costs.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>

#include "skep/compression.h"
#include "skep/exchange/error.h"
#include "skep/round/local_round.h"

namespace skep::skepctl {
namespace {

ModelSpec mlp() {
  ModelSpec spec;
  spec.inputs = 64;
  spec.layer_count = 3;
  spec.layers[0] = {LayerKind::kDense, 32};
  spec.layers[1] = {LayerKind::kRelu, 32};
  spec.layers[2] = {LayerKind::kDense, 10};
  return spec;
}

TEST(LayerCosts, OfTheMeasuredModelAreWhatWasMeasured) {
  const ModelCosts costs = costs_of(mlp(), {});
  EXPECT_EQ(costs.forward, (Instructions{12962, 6355, 6303, 6357}));
  EXPECT_EQ(costs.training, (Instructions{43581, 29148, 28968, 29152}));
  ASSERT_EQ(costs.layers.size(), 3U);
  EXPECT_EQ(costs.layers[0].parameter_count, 64U * 32 + 32);
  EXPECT_EQ(costs.layers[0].forward_macs, 64U * 32);
  EXPECT_EQ(costs.layers[0].training_macs, 2U * 64 * 32);  // nobody wants the sample's gradient
  EXPECT_EQ(costs.layers[2].training_macs, 3U * 32 * 10);
  EXPECT_EQ(costs.layers[2].inference_bytes, 2U * 320 + 4 * 10 + 2);
  EXPECT_EQ(costs.layers[2].training_bytes, 2U * 320 + 4 * 10 + 2 + 2 + 2 * 10);
  EXPECT_EQ(costs.layers[1].training_bytes, 0U);  // computed with the layer before
}

TEST(LayerCosts, PoolsCostWhatTheirWindowsSee) {
  ModelSpec spec;
  spec.inputs = 4 * 6 * 2;
  spec.input_height = 4;
  spec.input_width = 6;
  spec.layer_count = 4;
  spec.layers[0] = {LayerKind::kConv, 3, {1, 1, 1, 1}};
  spec.layers[1] = {LayerKind::kMaxPool, 3, {2, 3, 2, 3}};
  spec.layers[2] = {LayerKind::kGlobalAveragePool, 3};
  spec.layers[3] = {LayerKind::kDense, 2};
  const ModelCosts costs = costs_of(spec, {});
  EXPECT_EQ(costs.layers[1].pooled_values, 4U * 6 * 3) << "windows that do not overlap";
  EXPECT_EQ(costs.layers[2].pooled_values, 2U * 2 * 3);
  EXPECT_EQ(costs.layers[1].forward[0], 720U);  // 10.0 a value
  EXPECT_GT(costs.layers[1].training[0], costs.layers[1].forward[0]) << "the convolution trains";
  spec.frozen_layers = 3;
  EXPECT_EQ(costs_of(spec, {}).layers[1].training, costs.layers[1].forward) << "forward only";
}

TEST(LayerCosts, RefuseWhatIsNoModel) {
  EXPECT_THROW((void)costs_of(ModelSpec{}, {}), exchange::ExchangeError);
}

/// A chain over all kinds that plan_memory() accepts.
ModelSpec random_model() {
  const auto any = [](int low, int high) { return *rc::gen::inRange(low, high + 1); };
  ModelSpec spec;
  spec.input_height = static_cast<std::uint16_t>(any(1, 9));
  spec.input_width = static_cast<std::uint16_t>(any(3, 12));
  Shape shape{spec.input_height, spec.input_width, static_cast<std::uint16_t>(any(1, 4))};
  spec.inputs = static_cast<std::uint16_t>(shape.size());
  const auto add = [&](LayerSpec layer) {
    spec.layers[spec.layer_count++] = layer;
    const Result<Shape> next = output_shape(layer, shape);
    RC_ASSERT(next.ok());
    shape = *next;
  };
  const Window window{
      .height = 1, .width = 3, .stride_height = 1, .stride_width = 2, .pad_right = 2};
  const Window pool{.height = 1, .width = 1, .stride_height = 2, .stride_width = 1};
  for (int i = any(0, 4); i > 0; --i) {
    switch (any(0, 3)) {
      case 0:
        add({LayerKind::kConv, static_cast<std::uint16_t>(any(1, 6)), window});
        add({LayerKind::kTanh, shape.channels});
        break;
      case 1:
        add({LayerKind::kDepthwiseConv, shape.channels, window});
        break;
      case 2:
        add({LayerKind::kMaxPool, shape.channels, pool});
        break;
      default:
        add({LayerKind::kAveragePool, shape.channels, pool});
        break;
    }
  }
  if (any(0, 1) == 0) {
    add({LayerKind::kGlobalAveragePool, shape.channels});
  } else {
    add({LayerKind::kFlatten, static_cast<std::uint16_t>(shape.size())});
  }
  add({LayerKind::kDense, static_cast<std::uint16_t>(any(1, 9))});
  spec.frozen_layers = static_cast<std::uint8_t>(any(0, spec.layer_count - 1));
  return spec;
}

RC_GTEST_PROP(LayerCosts, AddUpToThePlan, ()) {
  const ModelSpec spec = random_model();
  const learn::Optimizer optimizer{.momentum_q15 = *rc::gen::element<std::uint16_t>(0, 29491),
                                   .proximal_mu_q16 = *rc::gen::element<std::uint32_t>(0, 655)};
  const learn::MemoryPlan plan = *learn::plan_memory(spec, optimizer);
  const ModelCosts costs = costs_of(spec, optimizer);
  RC_ASSERT(costs.plan == plan);
  RC_ASSERT(costs.layers.size() == spec.layer_count);
  const auto sum = [&](auto member) {
    return std::accumulate(
        costs.layers.begin(), costs.layers.end(), std::uint64_t{0},
        [&](std::uint64_t so_far, const LayerCost& layer) { return so_far + layer.*member; });
  };
  RC_ASSERT(sum(&LayerCost::parameter_count) == plan.parameter_count);
  RC_ASSERT(sum(&LayerCost::forward_macs) == plan.forward_macs);
  RC_ASSERT(sum(&LayerCost::training_macs) == plan.training_macs);
  // What is shared is what the planner lays out besides: state, scratch, deltas, the sample.
  const auto at = learn::internal::lay_out(spec, learn::Purpose::kTraining, optimizer);
  RC_ASSERT(costs.shared_training_bytes == at.biases + (at.trained_activations - at.activations) +
                                               (at.weight_exponents - at.deltas));
  RC_ASSERT(sum(&LayerCost::training_bytes) + costs.shared_training_bytes == plan.training_bytes);
  const auto inference = learn::internal::lay_out(spec, learn::Purpose::kInference, optimizer);
  RC_ASSERT(costs.shared_inference_bytes ==
            inference.biases + (inference.weight_exponents - inference.activations));
}

RC_GTEST_PROP(LayerCosts, ARoundTakesNoMoreThanWasPlanned, ()) {
  const ModelSpec spec = random_model();
  const learn::Optimizer optimizer{.momentum_q15 = *rc::gen::element<std::uint16_t>(0, 29491)};
  const DeviceNeeds needs = needs_of(spec, *learn::plan_memory(spec, optimizer));
  for (std::size_t i = 0; i < kCompressionNames.size(); ++i) {
    const auto mode = static_cast<CompressionMode>(i + 1);
    Compression compression{.mode = mode};
    if (has_keep_count(mode)) {
      compression.keep_permille = *rc::gen::inRange<std::uint16_t>(1, 1001);
    }
    if (has_value_bits(mode)) compression.value_bits = *rc::gen::inRange<std::uint8_t>(2, 17);
    const Result<std::uint32_t> bytes =
        round::LocalRound::workspace_bytes(spec, compression, optimizer);
    RC_ASSERT(bytes.ok());
    RC_ASSERT(needs.ram_bytes >= *bytes);
  }
}

}  // namespace
}  // namespace skep::skepctl
