// A model's architecture as data: it travels in the signed package and one engine interprets it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "skep/config.h"

namespace skep {

/// Numbers are part of the wire contract (`LayerKind` in proto/skep.proto).
enum class LayerKind : std::uint8_t {
  kDense = 1,  ///< y = W x + b; W is [outputs][inputs], row-major.
  kRelu = 2,   ///< y = max(x, 0); keeps the width.
};

/// Numbers are part of the wire contract (`Loss` in proto/skep.proto).
enum class Loss : std::uint8_t {
  kSoftmaxCrossEntropy = 1,  ///< Over the last layer's outputs; labels are class indices.
};

struct LayerSpec {
  LayerKind kind;
  std::uint16_t outputs;  ///< kDense: 1 … kMaxLayerWidth. kRelu: must equal its inputs.

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

/// Layers in order. Plain data, at most 4 * kMaxLayers + 8 bytes; not validated by itself:
/// learn::plan_memory() says whether it is a model that can run.
struct ModelSpec {
  std::uint16_t inputs = 0;        ///< Features per sample, 1 … kMaxLayerWidth.
  std::int8_t input_exponent = 0;  ///< A feature's value is int16 * 2^input_exponent; −30 … 15.
  Loss loss = Loss::kSoftmaxCrossEntropy;
  std::uint8_t layer_count = 0;
  std::array<LayerSpec, kMaxLayers> layers{};

  [[nodiscard]] constexpr std::span<const LayerSpec> active_layers() const {
    return {layers.data(), layer_count};
  }
  [[nodiscard]] constexpr std::uint16_t outputs() const {
    return layer_count == 0 ? inputs : layers[layer_count - 1U].outputs;
  }
};

}  // namespace skep
