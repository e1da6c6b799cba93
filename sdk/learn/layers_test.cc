#include "skep/learn/layers.h"

#include <gtest/gtest.h>

#include <vector>

#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

constexpr ModelSpec kDigits = learn_testing::mlp_spec({64, 32, 10}, -4);

constexpr std::uint32_t end_of(const ModelSpec& spec) {
  std::uint32_t end = 0;
  for (const FusedLayer& layer : ParameterLayers(spec)) end = layer.end_offset;
  return end;
}
static_assert(end_of(kDigits) == 4908);

TEST(ParameterLayers, GivesTheOffsetsOfTheReference) {
  std::vector<FusedLayer> layers;
  for (const FusedLayer& layer : ParameterLayers(kDigits)) layers.push_back(layer);
  ASSERT_EQ(layers.size(), 2U);

  EXPECT_EQ(layers[0].layer_index, 0U);
  EXPECT_EQ(layers[0].input.channels, 64);
  EXPECT_EQ(layers[0].output.channels, 32);
  EXPECT_EQ(layers[0].exponent_offset, 0U);
  EXPECT_EQ(layers[0].weights_offset, 2U);
  EXPECT_EQ(layers[0].biases_offset, 2U + 4096U);
  EXPECT_EQ(layers[0].first_parameter(), 0U);

  EXPECT_EQ(layers[1].layer_index, 2U);
  EXPECT_EQ(layers[1].input.channels, 32);
  EXPECT_EQ(layers[1].output.channels, 10);
  EXPECT_EQ(layers[1].exponent_offset, 4226U);
  EXPECT_EQ(layers[1].weights_offset, 4228U);
  EXPECT_EQ(layers[1].biases_offset, 4868U);
  EXPECT_EQ(layers[1].first_parameter(), 2080U);
  EXPECT_EQ(layers[1].first_weight, 2048U);
  EXPECT_EQ(layers[1].first_bias, 32U);
}

TEST(ParameterLayers, SkipsLayersWithoutParameters) {
  ModelSpec spec;
  spec.inputs = 3;
  spec.layer_count = 5;
  spec.layers[0] = {LayerKind::kDense, 4};
  spec.layers[1] = {LayerKind::kRelu, 4};
  spec.layers[2] = {LayerKind::kRelu, 4};
  spec.layers[3] = {LayerKind::kDense, 2};
  spec.layers[4] = {LayerKind::kRelu, 2};
  std::vector<std::uint32_t> indices;
  for (const FusedLayer& layer : ParameterLayers(spec)) indices.push_back(layer.layer_index);
  EXPECT_EQ(indices, (std::vector<std::uint32_t>{0, 3}));
}

}  // namespace
}  // namespace skep::learn
