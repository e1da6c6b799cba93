// A whole model in plain floating point, trained at batch 1: the peer that the integer engine's
// gradients, accuracy and instructions are compared with.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/learn/layers.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/reference_layers.h"
#include "skep/model_spec.h"

namespace skep::learn_testing {

/// Momentum and FedProx as skep::learn::Optimizer means them, as numbers.
template <typename Scalar>
struct ReferenceOptimizer {
  Scalar momentum = 0;
  Scalar proximal_mu = 0;
};

template <typename Scalar>
ReferenceOptimizer<Scalar> reference_optimizer(const learn::Optimizer& optimizer) {
  return {static_cast<Scalar>(optimizer.momentum_q15) / static_cast<Scalar>(1 << 15),
          static_cast<Scalar>(optimizer.proximal_mu_q16) / static_cast<Scalar>(1 << 16)};
}

/// One model on memory of the caller's; no heap. All that changes lies in that memory.
///
/// Order of the parameters: layer by layer, weights and then biases, as in the canonical blob.
template <typename Scalar>
class ReferenceNetwork {
 public:
  /// Scalars that the constructor wants. Requires a spec that plan_memory() accepts.
  static constexpr std::size_t memory_size(const ModelSpec& spec,
                                           const ReferenceOptimizer<Scalar>& optimizer = {}) {
    return Sizes(spec, optimizer).total();
  }

  /// All parameters are 0. `memory` has memory_size() elements and outlives the object.
  ReferenceNetwork(const ModelSpec& spec, std::span<Scalar> memory,
                   const ReferenceOptimizer<Scalar>& optimizer = {})
      : spec_(spec), sizes_(spec, optimizer), optimizer_(optimizer), memory_(memory) {
    for (const FusedLayer& layer : learn::FusedLayers(spec_)) layers_[layer_count_++] = layer;
    std::fill(memory.begin(), memory.end(), Scalar{0});
  }

  /// Takes the parameters from a canonical blob (docs/reference/weights.md) of the spec's size,
  /// and starts the optimizer anew.
  void load(Bytes blob) {
    std::size_t at = 0;
    const auto read = [&](int bytes) {
      std::uint32_t value = 0;
      for (int i = 0; i < bytes; ++i) value |= std::uint32_t{blob[at++]} << (8 * i);
      return value;
    };
    for (const FusedLayer& layer : layers()) {
      if (layer.weight_count == 0) continue;
      const int exponent = static_cast<std::int16_t>(read(2));
      for (Scalar& weight : weights(layer)) {
        weight = static_cast<Scalar>(std::ldexp(static_cast<std::int16_t>(read(2)), exponent));
      }
      for (Scalar& bias : biases(layer)) {
        bias = static_cast<Scalar>(
            std::ldexp(static_cast<std::int32_t>(read(4)), exponent - learn::kBiasFractionBits));
      }
    }
    std::copy_n(memory_.begin(), sizes_.anchors, anchors());
    std::fill_n(velocities(), sizes_.velocities, Scalar{0});
  }

  /// The last layer's outputs. All activations are kept for train_step().
  std::span<const Scalar> forward(std::span<const Scalar> features) {
    std::copy(features.begin(), features.end(), activations());
    const Scalar* x = activations();
    Scalar* y = activations() + features.size();
    for (const FusedLayer& layer : layers()) {
      compute_sums(layer, weights(layer).data(), biases(layer).data(), x, y);
      const auto count = static_cast<std::size_t>(layer.output.size());
      if (layer.activation != Activation::kNone) {
        for (std::size_t i = 0; i < count; ++i) y[i] = activate(layer, y[i]);
      }
      x = y;
      y += count;
    }
    return outputs();
  }

  /// Loss of the last forward().
  [[nodiscard]] Scalar loss(std::uint16_t label) const {
    return loss_of(spec_.loss, outputs(), sample(), label);
  }

  [[nodiscard]] std::uint16_t predicted_class() const {
    return learn_testing::predicted_class(spec_.loss, outputs());
  }

  /// One step; returns the loss before it.
  Scalar train_step(std::span<const Scalar> features, std::uint16_t label, Scalar rate) {
    forward(features);
    const Scalar before = loss(label);
    Scalar* delta = deltas();
    Scalar* other = delta + sizes_.widest;
    loss_gradient(spec_.loss, outputs(), sample(), label, delta);
    const Scalar* y = outputs().data();
    for (std::size_t index = layer_count_; index-- > 0;) {
      const FusedLayer& layer = layers_[index];
      const auto count = static_cast<std::size_t>(layer.output.size());
      if (layer.activation != Activation::kNone) {
        for (std::size_t i = 0; i < count; ++i) delta[i] = delta[i] * derivative(layer, y[i]);
      }
      const Scalar* const x = y - layer.input.size();
      const bool propagates = index > first_trainable();
      if (propagates) input_gradient(layer, weights(layer).data(), x, delta, other);
      if (layer.trainable) update(layer, x, delta, rate);
      if (!propagates) break;
      std::swap(delta, other);
      y = x;
    }
    return before;
  }

  [[nodiscard]] const ModelSpec& spec() const { return spec_; }
  [[nodiscard]] std::span<const FusedLayer> layers() const {
    return {layers_.data(), layer_count_};
  }

  [[nodiscard]] std::span<Scalar> parameters() { return memory_.first(sizes_.parameters); }
  [[nodiscard]] std::span<const Scalar> parameters() const {
    return memory_.first(sizes_.parameters);
  }
  [[nodiscard]] std::span<Scalar> weights(const FusedLayer& layer) {
    return memory_.subspan(layer.first_weight + layer.first_bias, layer.weight_count);
  }
  [[nodiscard]] std::span<Scalar> biases(const FusedLayer& layer) {
    return memory_.subspan(layer.first_weight + layer.first_bias + layer.weight_count,
                           layer.bias_count);
  }
  [[nodiscard]] std::span<const Scalar> outputs() const {
    const auto count = static_cast<std::size_t>(layers_[layer_count_ - 1].output.size());
    return {activations() + sizes_.activations - count, count};
  }

 private:
  struct Sizes {
    constexpr Sizes(const ModelSpec& spec, const ReferenceOptimizer<Scalar>& optimizer)
        : activations(spec.inputs) {
      for (const FusedLayer& layer : learn::FusedLayers(spec)) {
        const std::size_t own = std::size_t{layer.weight_count} + layer.bias_count;
        parameters += own;
        largest_gradient = std::max(largest_gradient, own);
        activations += static_cast<std::size_t>(layer.output.size());
        widest = std::max({widest, static_cast<std::size_t>(layer.output.size()),
                           static_cast<std::size_t>(layer.input.size())});
      }
      if (optimizer.proximal_mu != 0) anchors = parameters;
      if (optimizer.momentum != 0) velocities = parameters;
    }
    [[nodiscard]] constexpr std::size_t total() const {
      return parameters + anchors + velocities + activations + 2 * widest + largest_gradient;
    }
    std::size_t parameters = 0;
    std::size_t anchors = 0;
    std::size_t velocities = 0;
    std::size_t activations;  // of all layers, and the sample
    std::size_t widest = 0;   // most values between two layers
    std::size_t largest_gradient = 0;
  };

  [[nodiscard]] Scalar* anchors() const { return memory_.data() + sizes_.parameters; }
  [[nodiscard]] Scalar* velocities() const { return anchors() + sizes_.anchors; }
  [[nodiscard]] Scalar* activations() const { return velocities() + sizes_.velocities; }
  [[nodiscard]] Scalar* deltas() const { return activations() + sizes_.activations; }
  [[nodiscard]] Scalar* gradients() const { return deltas() + 2 * sizes_.widest; }
  [[nodiscard]] std::span<const Scalar> sample() const { return {activations(), spec_.inputs}; }

  [[nodiscard]] std::size_t first_trainable() const {
    std::size_t index = 0;
    while (!layers_[index].trainable) ++index;
    return index;
  }

  void update(const FusedLayer& layer, const Scalar* x, const Scalar* delta, Scalar rate) {
    Scalar* const gradient = gradients();
    parameter_gradient(layer, x, delta, gradient, gradient + layer.weight_count);
    const std::size_t first = std::size_t{layer.first_weight} + layer.first_bias;
    const std::size_t count = std::size_t{layer.weight_count} + layer.bias_count;
    Scalar* const w = memory_.data() + first;
    if (optimizer_.proximal_mu != 0) {
      const Scalar* const anchor = anchors() + first;
      for (std::size_t i = 0; i < count; ++i) {
        gradient[i] += optimizer_.proximal_mu * (w[i] - anchor[i]);
      }
    }
    if (optimizer_.momentum == 0) {
      for (std::size_t i = 0; i < count; ++i) w[i] -= rate * gradient[i];
      return;
    }
    Scalar* const v = velocities() + first;
    for (std::size_t i = 0; i < count; ++i) {
      v[i] = optimizer_.momentum * v[i] + rate * gradient[i];
      w[i] -= v[i];
    }
  }

  ModelSpec spec_;
  Sizes sizes_;
  ReferenceOptimizer<Scalar> optimizer_;
  std::span<Scalar> memory_;
  std::array<FusedLayer, kMaxLayers> layers_{};
  std::size_t layer_count_ = 0;
};

}  // namespace skep::learn_testing
