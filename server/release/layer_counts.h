// How the layers of a model lie in its weights blob.
#pragma once

#include <vector>

#include "skep/learn/layers.h"
#include "skep/wire/weights_difference.h"

namespace skep::release {

/// Requires a spec that learn::plan_memory() accepts.
inline std::vector<wire::LayerCounts> layer_counts(const ModelSpec& spec) {
  std::vector<wire::LayerCounts> layers;
  for (const learn::FusedLayer& layer : learn::ParameterLayers(spec)) {
    layers.push_back({.weights = layer.weight_count, .biases = layer.bias_count});
  }
  return layers;
}

}  // namespace skep::release
