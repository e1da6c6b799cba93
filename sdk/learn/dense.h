// Fully connected layers.
#pragma once

#include "bound_layer.h"
#include "parameter_mover.h"

namespace skep::learn::internal {

/// Outputs of `layer` for `input`, activation included. Returns their exponent.
int run_dense(const BoundLayer& layer, const Vector& input);

/// Trains the layer (SGD with the gradient of one sample). If `gradient` is not null, it becomes
/// the gradient by the layer's inputs at the weights before, exact, with the exponent of weights
/// (before) plus deltas; otherwise nobody wants it.
void train_dense(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                 const Descent& descent, std::int64_t* gradient);

}  // namespace skep::learn::internal
