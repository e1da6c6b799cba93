// A fused layer in an engine's memory, and what its forward and backward passes are told.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skep/learn/layers.h"

namespace skep::learn::internal {

/// values[i] * 2^exponent.
struct Vector {
  const std::int16_t* values;
  int exponent;
};

struct BoundLayer {
  FusedLayer plan;
  std::int16_t* weights;          // order as in LayerKind
  std::int32_t* biases;           // [channels of the output]
  std::int16_t* weight_exponent;  // null without parameters
  std::int16_t* velocities;       // as the weights; null without momentum or if frozen
  std::int32_t* bias_velocities;  // as the biases
  std::int16_t* anchors;          // as the weights; null without FedProx or if frozen
  std::int32_t* bias_anchors;     // as the biases
  std::int16_t* input_exponent;   // of the last forward; null in an engine for inference
  std::int16_t* output;           // after the activation
  std::byte* scratch;             // of all layers together, aligned to 8 bytes

  template <typename T>
  [[nodiscard]] T* scratch_at(std::uint32_t offset_bytes) const {
    return reinterpret_cast<T*>(scratch + offset_bytes);
  }
  [[nodiscard]] std::uint32_t input_count() const {
    return static_cast<std::uint32_t>(plan.input.size());
  }
  [[nodiscard]] std::uint32_t output_count() const {
    return static_cast<std::uint32_t>(plan.output.size());
  }
};

/// The gradient of the loss by a layer's outputs, before their activation.
using Deltas = Vector;

}  // namespace skep::learn::internal
