// The reference itself: gradients against differences of the loss, layers against numbers made by
// hand. Nothing here runs the engine.
#include "skep/learn_testing/reference_network.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "skep/learn_testing/owned_reference_network.h"
#include "skep/learn_testing/random_models.h"

namespace skep::learn_testing {
namespace {

using Network = OwnedReferenceNetwork<double>;
using Vector = std::vector<double>;

Vector draw_vector(std::size_t size) {
  Vector values(size);
  for (double& value : values) value = *rc::gen::inRange(-1000, 1001) / 1000.0;
  return values;
}

// Spreads the parameters, so that no two inputs of a max pool and no kink are within `step`.
void fill_parameters(Network& network) {
  const Vector drawn = draw_vector(network->parameters().size());
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    network->parameters()[i] = drawn[i] + 1e-3 * std::sin(double(i));
  }
}

double loss_at(Network network, std::size_t parameter, double shift, const Vector& x,
               std::uint16_t label) {
  network->parameters()[parameter] += shift;
  network->forward(x);
  return network->loss(label);
}

// Error of the two-sided difference: third derivatives for smooth functions; at a kink or where
// another input of a window wins, the two one-sided differences disagree and we learn nothing.
bool agrees(const Network& network, std::size_t parameter, double gradient, const Vector& x,
            std::uint16_t label) {
  constexpr double kStep = 1e-5;
  const double here = loss_at(network, parameter, 0, x, label);
  const double up = (loss_at(network, parameter, kStep, x, label) - here) / kStep;
  const double down = (here - loss_at(network, parameter, -kStep, x, label)) / kStep;
  const double disagreement = std::abs(up - down);
  return std::abs(gradient - (up + down) / 2) <= disagreement + 1e-6 * (1 + std::abs(gradient));
}

RC_GTEST_PROP(ReferenceNetwork, GradientIsTheSlopeOfTheLoss, ()) {
  const ModelSpec spec = draw_model();
  Network network(spec);
  fill_parameters(network);
  const Vector x = draw_vector(spec.inputs);
  const std::uint16_t label = draw_label(spec);
  Network trained = network;
  trained->train_step(x, label, 1.0);
  for (const FusedLayer& layer : network->layers()) {
    const std::size_t first = layer.first_weight + layer.first_bias;
    for (std::size_t i = first; i < first + layer.weight_count + layer.bias_count; ++i) {
      const double gradient = network->parameters()[i] - trained->parameters()[i];
      if (layer.trainable) {
        RC_ASSERT(agrees(network, i, gradient, x, label));
      } else {
        RC_ASSERT(gradient == 0.0);
      }
    }
  }
}

ModelSpec one_layer(Shape input, const LayerSpec& layer) {
  ModelSpec spec;
  spec.input_height = input.height;
  spec.input_width = input.width;
  spec.inputs = static_cast<std::uint16_t>(input.size());
  spec.layers[spec.layer_count++] = layer;
  return spec;
}

Vector run(const ModelSpec& spec, const Vector& parameters, const Vector& x) {
  Network network(spec);
  EXPECT_EQ(network->parameters().size(), parameters.size());
  std::copy(parameters.begin(), parameters.end(), network->parameters().begin());
  const auto y = network->forward(x);
  return {y.begin(), y.end()};
}

TEST(ReferenceNetwork, ConvOfASeriesIsCrossCorrelationWithZerosAround) {
  // Two channels in, one out, three taps, stride 2, one zero on each side.
  const Window window{1, 3, 1, 2, 0, 0, 1, 1};
  const ModelSpec spec = one_layer({1, 4, 2}, {LayerKind::kConv, 1, window});
  const Vector weights_and_bias{1, 10, 2, 20, 3, 30, 0.5};
  const Vector x{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(run(spec, weights_and_bias, x),
            (Vector{2 * 1 + 20 * 2 + 3 * 3 + 30 * 4 + 0.5,
                    1 * 3 + 10 * 4 + 2 * 5 + 20 * 6 + 3 * 7 + 30 * 8 + 0.5}));
}

TEST(ReferenceNetwork, DepthwiseConvKeepsChannelsApart) {
  const Window window{2, 1, 1, 1, 0, 0, 0, 0};
  const ModelSpec spec = one_layer({2, 2, 2}, {LayerKind::kDepthwiseConv, 2, window});
  const Vector x{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(run(spec, {1, 10, 100, 1000, 0, 0.5}, x),
            (Vector{1 + 500, 20 + 6000 + 0.5, 3 + 700, 40 + 8000 + 0.5}));
}

TEST(ReferenceNetwork, PoolsSeeTheirWindows) {
  const Vector x{1, -8, 3, 6, 5, -6, 7, 2, 9, -4, 11, -2};  // 2 x 3 x 2
  const Window window{2, 2, 1, 1, 0, 0, 0, 0};
  EXPECT_EQ(run(one_layer({2, 3, 2}, {LayerKind::kMaxPool, 2, window}), {}, x),
            (Vector{9, 6, 11, 6}));
  EXPECT_EQ(run(one_layer({2, 3, 2}, {LayerKind::kAveragePool, 2, window}), {}, x),
            (Vector{5, -1, 7, -1.5}));
  EXPECT_EQ(run(one_layer({2, 3, 2}, {LayerKind::kGlobalAveragePool, 2}), {}, x), (Vector{6, -2}));
}

TEST(ReferenceNetwork, MomentumAndTheProximalTermFollowTheirDefinitions) {
  ModelSpec spec = one_layer({1, 1, 1}, {LayerKind::kDense, 1});
  spec.loss = Loss::kMeanSquaredError;
  Network network(spec, std::vector<std::uint8_t>{0, 0, 3, 0, 0, 0, 0, 0}, {0.5, 0.25});
  double w = 3;
  double b = 0;
  double vw = 0;
  double vb = 0;
  for (int step = 0; step < 4; ++step) {
    // L = (w x + b − x)² at x = 1.
    const double slope = 2 * (w + b - 1);
    vw = 0.5 * vw + 0.125 * (slope + 0.25 * (w - 3));
    vb = 0.5 * vb + 0.125 * (slope + 0.25 * b);
    w -= vw;
    b -= vb;
    network->train_step(Vector{1}, 0, 0.125);
    EXPECT_DOUBLE_EQ(network->parameters()[0], w);
    EXPECT_DOUBLE_EQ(network->parameters()[1], b);
  }
}

TEST(ReferenceNetwork, ReadsTheCanonicalBlob) {
  const ModelSpec spec = one_layer({1, 1, 2}, {LayerKind::kDense, 1});
  // Exponent −4; weights 1 and −2; bias 3 * 2^16 in units of 2^−20.
  const std::vector<std::uint8_t> blob{0xFC, 0xFF, 1, 0, 0xFE, 0xFF, 0, 0, 3, 0};
  Network network(spec, blob);
  EXPECT_EQ(Vector(network->parameters().begin(), network->parameters().end()),
            (Vector{1.0 / 16, -2.0 / 16, 3.0 / 16}));
}

}  // namespace
}  // namespace skep::learn_testing
