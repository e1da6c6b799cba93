// An engine that trains beside float64, and every parameter compared after every step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "bounded_step_test_support.h"
#include "engine_test_support.h"
#include "skep/learn/engine.h"

namespace skep::learn {

/// What the comparison of some steps says.
struct Comparison {
  double worst = 0;        // |difference| / bound, ≤ 1 if all is well
  double change_sq = 0;    // Σ (float64's change)²
  double mismatch_sq = 0;  // Σ (engine's change − float64's)²

  [[nodiscard]] double relative_error() const { return std::sqrt(mismatch_sq / change_sq); }
};

class CheckedTraining {
 public:
  CheckedTraining(const ModelSpec& spec, const Optimizer& optimizer,
                  const std::vector<std::uint8_t>& blob, std::uint32_t rounding_seed)
      : spec_(spec), optimizer_(optimizer), engine_(spec, Purpose::kTraining, optimizer) {
    EXPECT_EQ(engine_->load(SpanSource(blob)), Status::kOk);
    engine_->seed_rounding(rounding_seed);
    for (const LayerValues& layer : values_of_blob(spec, blob)) {
      Layer& state = layers_.emplace_back();
      for (const double weight : layer.weights) state.anchors.emplace_back(weight);
      for (const double bias : layer.biases) state.anchors.emplace_back(bias);
      state.velocities.resize(state.anchors.size());
    }
  }

  /// Trains on one sample, and compares. Every step starts from the engine's own parameters;
  /// velocities are carried on with their bounds.
  Comparison step(std::span<const std::int16_t> features, std::uint16_t label, LearningRate rate) {
    const std::vector<std::uint8_t> before = engine_.blob();
    BoundedPass pass(spec_, before, features);
    pass.run_backward(label);
    EXPECT_TRUE(engine_->train_step(features, label, rate).ok());
    const std::vector<LayerValues> after = values_of_blob(spec_, engine_.blob());
    Comparison comparison;
    for (std::size_t k = 0; k < layers_.size(); ++k) {
      if (pass.layers()[k].trainable) {
        compare_layer(pass, k, after[k], rate, comparison);
      } else {
        EXPECT_EQ(after[k].weights, pass.parameters(k).weights) << "frozen layer " << k;
        EXPECT_EQ(after[k].biases, pass.parameters(k).biases) << "frozen layer " << k;
      }
    }
    return comparison;
  }

  TestEngine& engine() { return engine_; }

 private:
  struct Layer {
    BoundedVector velocities;  // weights, then biases
    BoundedVector anchors;
  };

  // Of one kind of parameter in one layer and one step: the units of its integers, in its own
  // value.
  struct Units {
    double before;
    double after;
    double range;     // the integer's, one-sided, in units
    double velocity;  // unit of the velocity, before
    double rounding;  // most that the parameter itself is rounded by, in units
  };

  void compare_layer(const BoundedPass& pass, std::size_t k, const LayerValues& after,
                     LearningRate rate, Comparison& comparison) {
    const LayerValues& before = pass.parameters(k);
    EXPECT_TRUE(after.exponent == before.exponent || after.exponent == before.exponent + 1);
    const BoundedVector gradient = pass.gradient(k);
    // A velocity has five bits below its weight's unit. Stochastic rounding is off by less than a
    // unit; the last term are the roundings to 2^-16 of one.
    const Units of_weights{before.weight_unit(), after.weight_unit(), 0x1p15,
                           before.weight_unit() / 32, 1 + 0x1p-14};
    const Units of_biases{before.bias_unit(), after.bias_unit(), 0x1p31, before.bias_unit(), 1};
    const std::size_t weights = before.weights.size();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const bool is_weight = i < weights;
      const double w0 = is_weight ? before.weights[i] : before.biases[i - weights];
      const double w1 = is_weight ? after.weights[i] : after.biases[i - weights];
      const Units& units = is_weight ? of_weights : of_biases;
      if (is_weight && kernel_may_clip(pass, k, i, rate)) {
        // Clipped before it is multiplied with the input: all we know is the limit.
        const double limit = (units.range / 2 + 1) * units.before + units.after;
        comparison.worst = std::max(comparison.worst, std::abs(w1 - w0) / limit);
        continue;
      }
      compare(layers_[k], i, w0, w1, gradient[i], rate, units, comparison);
    }
  }

  // Plain SGD on Dense layers limits the step of a unit, rate * delta, to half of a weight's unit
  // for each unit of the input.
  [[nodiscard]] bool kernel_may_clip(const BoundedPass& pass, std::size_t k, std::size_t weight,
                                     LearningRate rate) const {
    const FusedLayer& layer = pass.layers()[k];
    if (layer.kind != LayerKind::kDense || optimizer_ != Optimizer{}) return false;
    const double step = pass.deltas(k)[weight / layer.fan_in].magnitude() * value_of(rate);
    return std::ldexp(step, pass.input_exponent(k)) >= pass.parameters(k).weight_unit() / 2;
  }

  void compare(Layer& layer, std::size_t i, double w0, double w1, const Bounded& gradient,
               LearningRate rate, const Units& units, Comparison& comparison) {
    const double quarter = units.range / 2 * units.before;
    Bounded change = clamped(Bounded(value_of(rate)) * gradient, quarter);
    if (optimizer_.proximal_mu_q16 != 0) change += pull(layer.anchors[i], w0, rate, units);
    if (optimizer_.momentum_q15 != 0) {
      Bounded& velocity = layer.velocities[i];
      velocity = Bounded(optimizer_.momentum_q15 / 32768.0) * velocity + change;
      velocity.error += units.velocity * (1 + 0x1p-8);
      velocity = clamped(velocity, units.range * units.velocity);
      change = velocity;
    }
    const bool halved = units.after != units.before;
    const double expected = std::clamp(w0 - change.value, -units.range * units.before,
                                       (units.range - 1) * units.before);
    const double allowed =
        change.error + units.rounding * units.before + (halved ? units.after / 2 : 0);
    if (halved) {
      layer.velocities[i].error += units.velocity;
      layer.anchors[i].error += units.after / 2;
    }
    comparison.worst = std::max(comparison.worst, std::abs(w1 - expected) / allowed);
    comparison.change_sq += (expected - w0) * (expected - w0);
    comparison.mismatch_sq += (w1 - expected) * (w1 - expected);
  }

  // min(rate * mu, 1) * (w − anchor), the factor in 24 fraction bits.
  [[nodiscard]] Bounded pull(const Bounded& anchor, double w0, LearningRate rate,
                             const Units& units) const {
    const double factor = std::min(value_of(rate) * optimizer_.proximal_mu_q16 / 65536.0, 1.0);
    Bounded pull = Bounded(factor, 0x1p-25) * Bounded(w0 - anchor.value, anchor.error);
    pull.error += units.range == 0x1p15 ? 0x1p-17 * units.before : units.before / 2;
    return pull;
  }

  static Bounded clamped(const Bounded& x, double limit) {
    return {std::clamp(x.value, -limit, limit), x.error};
  }
  static double value_of(LearningRate rate) { return std::ldexp(rate.mantissa, -rate.shift); }

  ModelSpec spec_;
  Optimizer optimizer_;
  TestEngine engine_;
  std::vector<Layer> layers_;
};

}  // namespace skep::learn
