// Model specs as tests and tools write them down.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "skep/model_spec.h"

namespace skep::learn_testing {

/// Dense layers of the given widths, input first, with a ReLU between each two: {64, 32, 10} is
/// Dense 64→32, ReLU, Dense 32→10. At most (kMaxLayers + 1) / 2 layers.
constexpr ModelSpec mlp_spec(std::initializer_list<std::uint16_t> widths,
                             std::int8_t input_exponent) {
  ModelSpec spec;
  spec.inputs = *widths.begin();
  spec.input_exponent = input_exponent;
  for (const std::uint16_t* width = widths.begin() + 1; width != widths.end(); ++width) {
    spec.layers[spec.layer_count++] = {LayerKind::kDense, *width};
    if (width + 1 != widths.end()) spec.layers[spec.layer_count++] = {LayerKind::kRelu, *width};
  }
  return spec;
}

/// The given layers on samples of shape `input`.
constexpr ModelSpec spec_of(Shape input, std::int8_t input_exponent, Loss loss,
                            std::initializer_list<LayerSpec> layers) {
  ModelSpec spec;
  spec.inputs = static_cast<std::uint16_t>(input.size());
  spec.input_height = input.height;
  spec.input_width = input.width;
  spec.input_exponent = input_exponent;
  spec.loss = loss;
  for (const LayerSpec& layer : layers) spec.layers[spec.layer_count++] = layer;
  return spec;
}

}  // namespace skep::learn_testing
