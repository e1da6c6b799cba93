#include "parameter_mover.h"

#include <algorithm>

#include "fixed_point.h"

namespace skep::learn::internal {
namespace {

// Largest change in one step: a quarter of a weight's range in 2^-16 of its unit, and of a bias's.
constexpr std::int64_t kMaxChange = std::int64_t{1} << 30;

// A velocity has this many fraction bits below its weight's unit.
constexpr int kVelocityFractionBits = 5;

constexpr int kPullFractionBits = 24;

std::int64_t change_of(std::int64_t gradient, std::uint16_t mantissa, int shift) {
  return std::clamp(scale(gradient * mantissa, shift), -kMaxChange, kMaxChange);
}

// rate * mu, at most 1: a stronger pull would overshoot the anchor.
std::int64_t pull_factor_q24(const Optimizer& optimizer, LearningRate rate) {
  const std::int64_t product = std::int64_t{rate.mantissa} * optimizer.proximal_mu_q16;
  return std::min(scale(product, kPullFractionBits - 16 - rate.shift),
                  std::int64_t{1} << kPullFractionBits);
}

// Whether |value| has reached 2^(bits − 2) of a signed integer of `bits` bits.
template <typename T>
bool left_headroom(T value) {
  return magnitude_bits(value) >> (8 * sizeof(T) - 2) != 0;
}

template <typename T>
void halve_all(T* values, std::uint32_t count) {
  if (values == nullptr) return;
  std::transform(values, values + count, values, [](T v) { return static_cast<T>(halve(v)); });
}

}  // namespace

void halve_layer(const BoundLayer& layer) {
  if (*layer.weight_exponent >= kMaxWeightExponent) return;
  halve_all(layer.weights, layer.plan.weight_count);
  halve_all(layer.biases, layer.plan.bias_count);
  halve_all(layer.velocities, layer.plan.weight_count);
  halve_all(layer.bias_velocities, layer.plan.bias_count);
  halve_all(layer.anchors, layer.plan.weight_count);
  halve_all(layer.bias_anchors, layer.plan.bias_count);
  ++*layer.weight_exponent;
}

ParameterMover::ParameterMover(const BoundLayer& layer, const Descent& descent, int delta_exponent,
                               int input_exponent)
    : layer_(layer),
      descent_(descent),
      weight_shift_(delta_exponent + input_exponent - descent.rate.shift -
                    (*layer.weight_exponent - 16)),
      bias_shift_(delta_exponent - descent.rate.shift -
                  (*layer.weight_exponent - kBiasFractionBits)),
      pull_q24_(pull_factor_q24(descent.optimizer, descent.rate)) {}

// The same generator as Xorshift32 in core, on the engine's state.
std::uint32_t ParameterMover::draw() {
  std::uint32_t& state = descent_.random;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

std::int64_t ParameterMover::pull(std::int64_t distance, int fraction_bits) const {
  return scale(distance * pull_q24_, fraction_bits - kPullFractionBits);
}

void ParameterMover::move_weight(std::uint32_t index, std::int64_t gradient) {
  std::int64_t change_q16 = change_of(gradient, descent_.rate.mantissa, weight_shift_);
  std::int16_t& weight = layer_.weights[index];
  if (layer_.anchors != nullptr) change_q16 += pull(weight - layer_.anchors[index], 16);
  const std::uint32_t random = draw();
  const auto sixteen_bits = static_cast<std::int64_t>(random & 0xFFFFU);
  std::int64_t change = 0;
  if (layer_.velocities == nullptr) {
    change = (change_q16 + sixteen_bits) >> 16;
  } else {
    std::int16_t& velocity = layer_.velocities[index];
    const std::int64_t kept_q16 =
        std::int64_t{velocity} * descent_.optimizer.momentum_q15 * 2;  // Q15 becomes Q16
    velocity = saturate<std::int16_t>(
        (kept_q16 + change_q16 * (1 << kVelocityFractionBits) + sixteen_bits) >> 16);
    change = (velocity + static_cast<std::int32_t>(random >> (32 - kVelocityFractionBits))) >>
             kVelocityFractionBits;
  }
  weight = saturate<std::int16_t>(weight - change);
  grown_ |= left_headroom(weight);
}

void ParameterMover::move_bias(std::uint32_t index, std::int64_t gradient) {
  std::int64_t change = change_of(gradient, descent_.rate.mantissa, bias_shift_);
  std::int32_t& bias = layer_.biases[index];
  if (layer_.bias_anchors != nullptr) {
    change += pull(std::int64_t{bias} - layer_.bias_anchors[index], 0);
  }
  if (layer_.bias_velocities != nullptr) {
    std::int32_t& velocity = layer_.bias_velocities[index];
    change += scale(std::int64_t{velocity} * descent_.optimizer.momentum_q15, -15);
    velocity = saturate<std::int32_t>(change);
    change = velocity;
  }
  bias = saturate<std::int32_t>(bias - change);
  grown_ |= left_headroom(bias);
}

void ParameterMover::finish() {
  if (grown_) halve_layer(layer_);
}

}  // namespace skep::learn::internal
