// Moves a layer's parameters against their gradient, one by one: stochastic rounding, momentum,
// FedProx. The fast path of plain SGD on Dense layers is in the kernels.
#pragma once

#include <cstdint>

#include "bound_layer.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"

namespace skep::learn::internal {

/// How the parameters of one step move. `random` is the state of xorshift32.
struct Descent {
  const Optimizer& optimizer;
  LearningRate rate;
  std::uint32_t& random;
};

/// Halves parameters, and all that is kept in their unit, and raises the layer's exponent; does
/// nothing at kMaxWeightExponent.
void halve_layer(const BoundLayer& layer);

class ParameterMover {
 public:
  /// Weight gradients have the exponent of `deltas` plus that of the layer's input, bias gradients
  /// that of `deltas`.
  ParameterMover(const BoundLayer& layer, const Descent& descent, int delta_exponent,
                 int input_exponent);

  /// |gradient| ≤ 2^47. A step is at most a quarter of the layer's range.
  void move_weight(std::uint32_t index, std::int64_t gradient);
  void move_bias(std::uint32_t index, std::int64_t gradient);

  /// Halves the layer if a parameter has grown into the last bit of headroom.
  void finish();

  /// For the kernels, which move weights themselves.
  void note_growth(bool grown) { grown_ |= grown; }

 private:
  std::uint32_t draw();
  [[nodiscard]] std::int64_t pull(std::int64_t distance, int fraction_bits) const;

  const BoundLayer& layer_;
  const Descent& descent_;
  int weight_shift_;       // from gradient * mantissa to 2^-16 of a weight's unit
  int bias_shift_;         // … to a bias's unit
  std::int64_t pull_q24_;  // rate * mu
  bool grown_ = false;
};

}  // namespace skep::learn::internal
