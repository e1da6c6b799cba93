#include "dense.h"

#include <algorithm>

#include "activation.h"
#include "fixed_point.h"
#include "kernels.h"
#include "normalize.h"

namespace skep::learn::internal {
namespace {

// Bits below a weight's unit in a kernel's `step`.
constexpr int kStepFractionBits = 32;

void add_scaled(const std::int16_t* row, std::int16_t factor, std::int64_t* sums, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) sums[i] += std::int32_t{row[i]} * factor;
}

// Plain SGD: reads and writes each weight once, and stores no gradient of the weights.
void train_fused(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                 const Descent& descent, std::int64_t* gradient, ParameterMover& mover) {
  const std::uint32_t inputs = layer.plan.fan_in;
  const int step_shift = deltas.exponent + input.exponent - descent.rate.shift -
                         (*layer.weight_exponent - kStepFractionBits);
  std::uint32_t random = descent.random;
  std::int16_t* row = layer.weights;
  for (std::uint32_t j = 0; j < layer.plan.bias_count; ++j, row += inputs) {
    const std::int16_t delta = deltas.values[j];
    if (delta == 0) continue;  // A dead unit changes nothing and draws nothing.
    const std::int32_t descent_of_unit = std::int32_t{delta} * std::int32_t{descent.rate.mantissa};
    const std::int32_t step = scale_within(descent_of_unit, step_shift, INT32_MAX);
    mover.note_growth(gradient == nullptr
                          ? kernels::update(row, input.values, inputs, step, random)
                          : kernels::update_with_gradient(row, input.values, gradient, inputs, step,
                                                          delta, random));
    mover.move_bias(j, delta);
  }
  descent.random = random;
}

void train_one_by_one(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                      std::int64_t* gradient, ParameterMover& mover) {
  const std::uint32_t inputs = layer.plan.fan_in;
  for (std::uint32_t j = 0; j < layer.plan.bias_count; ++j) {
    const std::int16_t delta = deltas.values[j];
    const std::uint32_t first = j * inputs;
    if (gradient != nullptr) add_scaled(layer.weights + first, delta, gradient, inputs);
    for (std::uint32_t i = 0; i < inputs; ++i) {
      mover.move_weight(first + i, std::int32_t{delta} * input.values[i]);
    }
    mover.move_bias(j, delta);
  }
}

}  // namespace

int run_dense(const BoundLayer& layer, const Vector& input) {
  // A product has the exponent (weights' + input's), a bias (weights' − kBiasFractionBits). They
  // meet at the finer of the two as far as int64 allows: |product sum| ≤ 2^46 may be lifted by
  // 16 bits, and kMinActivationExponent bounds the lift of a bias to 20.
  const int coarser = input.exponent + kBiasFractionBits;
  const int product_lift = std::clamp(coarser, 0, 16);
  const int bias_shift = product_lift - coarser;
  const std::uint32_t outputs = layer.plan.bias_count;
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  const std::uint32_t inputs = layer.plan.fan_in;
  kernels::multiply_rows(layer.weights, inputs, outputs, input.values, inputs, sums);
  for (std::uint32_t j = 0; j < outputs; ++j) {
    sums[j] = sums[j] * (std::int64_t{1} << product_lift) + scale(layer.biases[j], bias_shift);
  }
  activate_sums(sums, outputs, layer.plan.activation, layer.plan.negative_slope_q15);
  const int exponent =
      normalize(sums, outputs, *layer.weight_exponent + input.exponent - product_lift,
                kMinActivationExponent, layer.output);
  return activate_outputs(layer.output, outputs, exponent, layer.plan.activation);
}

void train_dense(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                 const Descent& descent, std::int64_t* gradient) {
  if (gradient != nullptr) std::fill_n(gradient, layer.plan.fan_in, 0);
  ParameterMover mover(layer, descent, deltas.exponent, input.exponent);
  if (descent.optimizer == Optimizer{}) {
    train_fused(layer, input, deltas, descent, gradient, mover);
  } else {
    train_one_by_one(layer, input, deltas, gradient, mover);
  }
  mover.finish();
}

}  // namespace skep::learn::internal
