// Convolutions over height and width: all input channels into each output channel, or each channel
// by itself (depthwise).
#pragma once

#include "bound_layer.h"
#include "parameter_mover.h"

namespace skep::learn::internal {

/// Outputs of `layer` for `input`, activation included. Returns their exponent.
int run_convolution(const BoundLayer& layer, const Vector& input);

/// The gradient by the layer's inputs, in `gradient`, at the weights as they are. It lies at
/// ConvScratch::staged of the layer's backward pass. Returns its exponent.
int propagate_convolution(const BoundLayer& layer, const Deltas& deltas, std::int32_t* gradient);

/// Trains the layer (SGD with the gradient of one sample, summed over all positions). `propagates`
/// says where the scratch is free, as for backward_scratch_bytes().
void train_convolution(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                       const Descent& descent, bool propagates);

}  // namespace skep::learn::internal
