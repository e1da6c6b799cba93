// Max, average and global average pooling.
#pragma once

#include "bound_layer.h"

namespace skep::learn::internal {

/// Outputs of `layer` for `input`, activation included. Returns their exponent.
int run_pool(const BoundLayer& layer, const Vector& input);

/// The gradient by the layer's inputs, in `gradient`. A maximum's gradient belongs to the first of
/// equals. Returns its exponent.
int propagate_pool(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                   std::int32_t* gradient);

}  // namespace skep::learn::internal
