// The backward pass at batch 1, fused with the update: each weight is read and written once, and
// no gradient of the weights is ever stored.
#include <algorithm>

#include "engine_internal.h"
#include "fixed_point.h"
#include "kernels.h"
#include "skep/learn/engine.h"
#include "softmax.h"

namespace skep::learn {
namespace {

// A delta's exponent may sink without bound: it only ever shifts a weight's step, with saturation.
constexpr int kNoMinExponent = -16384;

// Bits below a weight's LSB in a kernel's `step`, and below a bias's LSB there are none.
constexpr int kStepFractionBits = 32;

// Largest change of a bias in one step, like that of a weight a quarter of the layer's range.
constexpr std::int32_t kMaxBiasChange = std::int32_t{1} << 30;

// A copy with 15 significant bits: the precision of a weight's step depends on them.
int normalize_features(std::span<const std::int16_t> features, int exponent, std::int16_t* out) {
  std::uint64_t bits = 0;
  for (const std::int16_t feature : features) bits |= magnitude_bits(feature);
  const int lift = bits == 0 ? 0 : 15 - significant_bits(bits);
  const std::int32_t factor = std::int32_t{1} << lift;
  for (std::size_t i = 0; i < features.size(); ++i) {
    out[i] = static_cast<std::int16_t>(features[i] * factor);
  }
  return exponent - lift;
}

// Moves a bias against its gradient; returns whether it has left half of its range.
bool update_bias(std::int32_t& bias, std::int32_t gradient, int shift) {
  const std::int64_t change = scale_within(gradient, shift, kMaxBiasChange);
  bias = saturate<std::int32_t>(bias - change);
  return magnitude_bits(bias) >> 30 != 0;
}

void halve_layer(std::int16_t* weights, std::uint32_t weight_count, std::int32_t* biases,
                 std::uint32_t bias_count) {
  std::transform(weights, weights + weight_count, weights,
                 [](std::int16_t w) { return static_cast<std::int16_t>(halve(w)); });
  std::transform(biases, biases + bias_count, biases, halve);
}

bool is_valid(LearningRate rate) {
  return rate.mantissa >= 1 && rate.mantissa <= 32767 && rate.shift <= 30;
}

}  // namespace

int Engine::update_layer(const Layer& layer, const Vector& input, int delta_exponent,
                         LearningRate rate, const Layer* previous) {
  std::int16_t* const deltas = reinterpret_cast<std::int16_t*>(memory_ + at_.deltas);
  std::int64_t* const gradient = accumulators();
  const int weight_exponent = *layer.exponent;
  // delta * mantissa has this exponent; seen from a bias's LSB, and from a step's unit.
  const int exponent = delta_exponent - rate.shift;
  const int bias_shift = exponent - (weight_exponent - kBiasFractionBits);
  const int step_shift = exponent + input.exponent - (weight_exponent - kStepFractionBits);

  if (previous != nullptr) std::fill_n(gradient, layer.inputs, 0);
  bool grown = false;
  std::uint32_t random = state().random;
  std::int16_t* row = layer.weights;
  for (std::uint32_t j = 0; j < layer.outputs; ++j, row += layer.inputs) {
    if (deltas[j] == 0) continue;  // A dead unit changes nothing and draws nothing.
    const std::int32_t descent = std::int32_t{deltas[j]} * std::int32_t{rate.mantissa};
    const std::int32_t step = scale_within(descent, step_shift, INT32_MAX);
    if (previous == nullptr) {
      grown |= kernels::update(row, input.values, layer.inputs, step, random);
    } else {
      grown |= kernels::update_with_gradient(row, input.values, gradient, layer.inputs, step,
                                             deltas[j], random);
    }
    grown |= update_bias(layer.biases[j], descent, bias_shift);
  }
  state().random = random;

  if (grown && weight_exponent < kMaxWeightExponent) {
    halve_layer(layer.weights, layer.inputs * layer.outputs, layer.biases, layer.outputs);
    *layer.exponent = static_cast<std::int16_t>(weight_exponent + 1);
  }
  if (previous == nullptr) return delta_exponent;
  if (previous->rectified) {
    for (std::uint32_t i = 0; i < layer.inputs; ++i) {
      if (input.values[i] == 0) gradient[i] = 0;
    }
  }
  return normalize(gradient, layer.inputs, weight_exponent + delta_exponent, kNoMinExponent,
                   deltas);
}

void Engine::back_propagate(std::span<const std::int16_t> features, LearningRate rate) {
  std::int16_t* const first_input = reinterpret_cast<std::int16_t*>(memory_ + at_.features);
  const int first_exponent = normalize_features(features, spec_.input_exponent, first_input);
  int delta_exponent = kProbabilityExponent;
  Layer current = layer(dense_count_ - 1);
  for (std::uint32_t index = dense_count_ - 1; index > 0; --index) {
    const Layer previous = layer(index - 1);
    delta_exponent = update_layer(current, {previous.output, *current.input_exponent},
                                  delta_exponent, rate, &previous);
    current = previous;
  }
  update_layer(current, {first_input, first_exponent}, delta_exponent, rate, nullptr);
}

Result<std::uint32_t> Engine::train_step(std::span<const std::int16_t> features,
                                         std::uint16_t label, LearningRate rate) {
  if (purpose_ != Purpose::kTraining) return Status::kUnsupported;
  if (features.size() != spec_.inputs || label >= spec_.outputs() || !is_valid(rate)) {
    return Status::kInvalidArgument;
  }
  run(features);
  const int exponent = state().output_exponent;
  const std::uint64_t sum = sum_exponentials(logits(), exponent, accumulators());
  softmax_gradient({accumulators(), spec_.outputs()}, sum, label,
                   reinterpret_cast<std::int16_t*>(memory_ + at_.deltas));
  back_propagate(features, rate);
  return cross_entropy_q16(logits(), exponent, sum, label);
}

}  // namespace skep::learn
