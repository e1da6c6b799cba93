// A layer's outputs as int32 of one exponent until all of them are known.
#pragma once

#include <algorithm>
#include <cstdint>

#include "activation.h"
#include "bound_layer.h"
#include "fixed_point.h"
#include "normalize.h"

namespace skep::learn::internal {

/// Stages outputs(0) … outputs(n − 1), after a ReLU if `layer` has one. Returns their
/// magnitude_bits(), which choose the exponent in the end.
template <typename Outputs>
std::uint32_t stage(const BoundLayer& layer, std::uint32_t n, std::int32_t* staged,
                    Outputs outputs) {
  std::uint32_t bits = 0;
  if (layer.plan.activation == Activation::kRelu) {
    const auto put = [&](std::uint32_t i) {
      const std::int32_t output = std::max<std::int32_t>(outputs(i), 0);
      staged[i] = output;
      bits |= static_cast<std::uint32_t>(output);
    };
    std::uint32_t i = 0;
    for (; n - i >= 4; i += 4) {
      put(i);
      put(i + 1);
      put(i + 2);
      put(i + 3);
    }
    for (; i < n; ++i) put(i);
  } else {
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::int32_t output = outputs(i);
      staged[i] = output;
      bits |= static_cast<std::uint32_t>(output ^ (output >> 31));
    }
  }
  return bits;
}

/// Makes the layer's outputs of all that was staged, in units of 2^exponent. Returns their
/// exponent.
inline int finish_stage(const BoundLayer& layer, std::int32_t* staged, std::uint32_t bits,
                        int exponent) {
  const std::uint32_t outputs = layer.output_count();
  const Activation activation = layer.plan.activation;
  if (activation == Activation::kLeakyRelu) {
    activate_sums(staged, outputs, activation, layer.plan.negative_slope_q15);
    bits = magnitude_bits(staged, outputs);
  }
  const int normalized =
      normalize(staged, outputs, bits, exponent, kMinActivationExponent, layer.output);
  return activate_outputs(layer.output, outputs, normalized, activation);
}

}  // namespace skep::learn::internal
