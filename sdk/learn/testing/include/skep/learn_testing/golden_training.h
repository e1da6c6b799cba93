// A set of small models that together have every kind of layer, activation, loss and optimizer, and
// how each is trained so that every machine must end with the same bytes. No heap: boards run it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "skep/bytes.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/specs.h"
#include "skep/model_spec.h"
#include "skep/status.h"

namespace skep::learn_testing {

/// A model, how it is trained, and what comes out of it.
struct GoldenTraining {
  std::string_view name;
  ModelSpec spec;
  learn::Optimizer optimizer;
  learn::LearningRate rate;
  /// SHA-256 of the canonical weights blob after train_golden(), in hexadecimal digits. It changes
  /// only with the engine's definition, and then every gateway and device must change with it.
  std::string_view weights_sha256;
  std::uint64_t loss_sum_q16;
};

namespace internal {

constexpr Window square(std::uint8_t kernel, std::uint8_t stride, std::uint8_t pad) {
  return {kernel, kernel, stride, stride, pad, pad, pad, pad};
}
constexpr Window along(std::uint8_t kernel, std::uint8_t stride, std::uint8_t pad) {
  return {1, kernel, 1, stride, 0, 0, pad, pad};
}

constexpr ModelSpec dense_relu_softmax() { return mlp_spec({20, 16, 5}, -15); }

constexpr ModelSpec series_max_pool_leaky() {
  return spec_of({1, 24, 3}, -15, Loss::kSoftmaxCrossEntropy,
                 {{LayerKind::kConv, 8, along(5, 1, 2)},
                  {LayerKind::kLeakyRelu, 8, {}, 3277},
                  {LayerKind::kMaxPool, 8, along(3, 2, 0)},
                  {LayerKind::kDepthwiseConv, 8, along(3, 1, 1)},
                  {LayerKind::kFlatten, 88},
                  {LayerKind::kDense, 5}});
}

constexpr ModelSpec image_tanh_sigmoid_bits() {
  return spec_of({9, 9, 2}, -15, Loss::kBinaryCrossEntropy,
                 {{LayerKind::kConv, 6, square(3, 2, 1)},
                  {LayerKind::kTanh, 6},
                  {LayerKind::kConv, 8, square(3, 1, 0)},
                  {LayerKind::kSigmoid, 8},
                  {LayerKind::kFlatten, 72},
                  {LayerKind::kDense, 4}});
}

constexpr ModelSpec separable_average_pools() {
  return spec_of({10, 8, 1}, -15, Loss::kSoftmaxCrossEntropy,
                 {{LayerKind::kConv, 6, square(3, 1, 1)},
                  {LayerKind::kRelu, 6},
                  {LayerKind::kDepthwiseConv, 6, square(3, 2, 1)},
                  {LayerKind::kRelu, 6},
                  {LayerKind::kConv, 8, square(1, 1, 0)},
                  {LayerKind::kAveragePool, 8, square(3, 1, 0)},
                  {LayerKind::kGlobalAveragePool, 8},
                  {LayerKind::kDense, 4}});
}

constexpr ModelSpec autoencoder() {
  return spec_of({1, 1, 24}, -15, Loss::kMeanSquaredError,
                 {{LayerKind::kDense, 10}, {LayerKind::kTanh, 10}, {LayerKind::kDense, 24}});
}

constexpr ModelSpec frozen_convolution() {
  ModelSpec spec = spec_of({6, 6, 2}, -15, Loss::kSoftmaxCrossEntropy,
                           {{LayerKind::kConv, 5, square(3, 1, 1)},
                            {LayerKind::kRelu, 5},
                            {LayerKind::kMaxPool, 5, square(2, 2, 0)},
                            {LayerKind::kFlatten, 45},
                            {LayerKind::kDense, 12},
                            {LayerKind::kRelu, 12},
                            {LayerKind::kDense, 3}});
  spec.frozen_layers = 4;
  return spec;
}

}  // namespace internal

inline constexpr std::array<GoldenTraining, 8> kGoldenTrainings{{
    {"dense_relu_softmax_sgd",
     internal::dense_relu_softmax(),
     {},
     {1, 4},
     "8887c7203deb48fac58555857a12426e4d69c1f4723800335c631e30d1df751f",
     5926583},
    {"dense_relu_softmax_momentum",
     internal::dense_relu_softmax(),
     {29491, 0},
     {1, 6},
     "3ad39eea27f7ffc4597a32f0e96c9c1931253e201f56f5151a425cb9996ec375",
     5261815},
    {"dense_relu_softmax_fedprox",
     internal::dense_relu_softmax(),
     {0, 1U << 14},
     {1, 4},
     "5df93154514ef28d6064f14dd1621d0761aed196616e91dc1fefb296fc378200",
     6136006},
    {"series_max_pool_leaky_sgd",
     internal::series_max_pool_leaky(),
     {},
     {1, 4},
     "ee8aa0fd54ea5183d928e44660eb5637335918396e02bcb58765e9f6b76baa27",
     4918555},
    {"image_tanh_sigmoid_bits_fedprox",
     internal::image_tanh_sigmoid_bits(),
     {0, 1U << 15},
     {1, 2},
     "94192c41b3b3fd657c2ba2b30bbdfc66efd910ef430115b3a063ae504ac586f9",
     3287696},
    {"separable_average_pools_momentum",
     internal::separable_average_pools(),
     {29491, 0},
     {1, 6},
     "70da9aef20fdcb809e9f899383b5a0f345af986f231c98b7c96438ea44d62903",
     5471101},
    {"autoencoder_momentum_fedprox",
     internal::autoencoder(),
     {16384, 1U << 13},
     {1, 2},
     "abf0bcf19a41dcfd12ddea21bb84be285f9af6e2fc8d4a3b1a1ca450e6fcebf5",
     1544590},
    {"frozen_convolution_sgd",
     internal::frozen_convolution(),
     {},
     {1, 4},
     "807ca6e72e4706ec03f6188a5e5dbb42a21b800da43f9f28c2b21a42a13eb2e4",
     3812695},
}};

namespace internal {

template <typename Measure>
constexpr std::size_t largest_of(Measure measure) {
  std::size_t largest = 0;
  for (const GoldenTraining& training : kGoldenTrainings) {
    largest = std::max<std::size_t>(largest, measure(training));
  }
  return largest;
}

}  // namespace internal

/// What suffices for each of them.
inline constexpr std::size_t kGoldenMemoryBytes =
    internal::largest_of([](const GoldenTraining& training) {
      return learn::plan_memory(training.spec, training.optimizer)->training_bytes;
    });
inline constexpr std::size_t kGoldenBlobBytes =
    internal::largest_of([](const GoldenTraining& training) {
      return learn::plan_memory(training.spec, training.optimizer)->weights_blob_bytes;
    });
inline constexpr std::size_t kGoldenFeatures =
    internal::largest_of([](const GoldenTraining& training) { return training.spec.inputs; });

inline constexpr std::uint32_t kGoldenSamples = 20;
inline constexpr std::uint32_t kGoldenSteps = 3 * kGoldenSamples;

/// Features of sample `index`: pseudo-random, half of them 0, over all of int16.
inline void fill_golden_sample(std::uint32_t index, std::span<std::int16_t> features) {
  Xorshift32 random(mix_seed(index, 1));
  for (std::int16_t& feature : features) {
    const std::uint32_t draw = random.next();
    feature = static_cast<std::int16_t>((draw & 1U) != 0 ? draw >> 16U : 0);
  }
}

/// A label that each loss allows; the same sample always has the same.
inline std::uint16_t golden_label(const ModelSpec& spec, std::uint32_t index) {
  const std::uint32_t count =
      spec.loss == Loss::kBinaryCrossEntropy ? std::uint32_t{1} << spec.outputs() : spec.outputs();
  return static_cast<std::uint16_t>(mix_seed(index, 2) % count);
}

/// Trains from seed 7 on `memory` (aligned to 8 bytes, kGoldenMemoryBytes), leaves the canonical
/// blob in the first bytes of `blob` (kGoldenBlobBytes) and returns the sum of the losses.
inline Result<std::uint64_t> train_golden(const GoldenTraining& training,
                                          std::span<std::byte> memory, MutableBytes blob) {
  SKEP_ASSIGN_OR_RETURN(const learn::MemoryPlan plan,
                        learn::plan_memory(training.spec, training.optimizer));
  SKEP_ASSIGN_OR_RETURN(
      learn::Engine engine,
      learn::Engine::create(training.spec, learn::Purpose::kTraining, memory, training.optimizer));
  SKEP_TRY(engine.initialize(7));
  engine.seed_rounding(7);
  std::array<std::int16_t, kGoldenFeatures> sample;
  const std::span<std::int16_t> features(sample.data(), training.spec.inputs);
  std::uint64_t loss_sum = 0;
  for (std::uint32_t step = 0; step < kGoldenSteps; ++step) {
    const std::uint32_t index = step % kGoldenSamples;
    fill_golden_sample(index, features);
    SKEP_ASSIGN_OR_RETURN(
        const std::uint32_t loss,
        engine.train_step(features, golden_label(training.spec, index), training.rate));
    loss_sum += loss;
  }
  SKEP_TRY(engine.store(blob.first(plan.weights_blob_bytes)));
  return loss_sum;
}

}  // namespace skep::learn_testing
