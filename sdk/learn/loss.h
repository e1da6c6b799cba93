// The three losses and their gradients by the model's outputs.
#pragma once

#include <cstdint>
#include <span>

#include "bound_layer.h"
#include "skep/learn/engine.h"

namespace skep::learn::internal {

/// What a loss is computed from. `sample` is the target of an autoencoder.
struct Prediction {
  const ModelSpec& spec;
  Output output;
  Vector sample;
  std::uint16_t label;
};

/// Q16.16, saturating; see Engine::evaluate().
std::uint32_t loss_q16(const Prediction& prediction);

/// The loss and the exponent of its gradient.
struct LossAndGradient {
  std::uint32_t loss_q16;
  int exponent;
};

/// The loss, and its gradient by the outputs before the last layer's activation, in `deltas`.
/// `last` is that layer; its scratch is used, 8 bytes an output.
LossAndGradient loss_and_gradient(const Prediction& prediction, const BoundLayer& last,
                                  std::int16_t* deltas);

}  // namespace skep::learn::internal
