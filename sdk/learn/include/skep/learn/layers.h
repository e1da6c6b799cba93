// The layers of a model as the engine runs them, and where each one's parameters lie in the
// canonical weights blob (docs/reference/weights.md) and in a Delta.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "skep/model_spec.h"

namespace skep::learn {

/// Range of a layer's weight exponent. Weights are int16 * 2^exponent, biases int32 *
/// 2^(exponent − 16): both cover the same range of values.
inline constexpr int kMinWeightExponent = -30;
inline constexpr int kMaxWeightExponent = 0;
inline constexpr int kBiasFractionBits = 16;

/// What a layer does to its outputs before anything else sees them.
enum class Activation : std::uint8_t { kNone, kRelu, kLeakyRelu, kSigmoid, kTanh };

/// A layer that computes (all kinds but activations and Flatten, which only gives the same values
/// another shape), fused with the activation that follows it.
struct FusedLayer {
  std::uint32_t layer_index = 0;  ///< In ModelSpec::layers.
  LayerKind kind = LayerKind::kDense;
  Activation activation = Activation::kNone;
  bool trainable = false;                ///< Has parameters, and they are not frozen.
  std::uint16_t negative_slope_q15 = 0;  ///< Of kLeakyRelu.
  Window window{};
  Shape input{};
  Shape output{};

  std::uint32_t fan_in = 0;        ///< Weights that one output sums over; 0 without parameters.
  std::uint32_t weight_count = 0;  ///< 0 without parameters; order as in LayerKind.
  std::uint32_t bias_count = 0;    ///< Channels of the output, or 0.

  std::uint32_t exponent_offset = 0;  ///< Of the int16 exponent, in bytes from the blob's start.
  std::uint32_t weights_offset = 0;   ///< Of the first weight, int16 each.
  std::uint32_t biases_offset = 0;    ///< Of the first bias, int32 each.
  std::uint32_t end_offset = 0;       ///< One past the layer's last byte.

  std::uint32_t first_weight = 0;            ///< Number of weights in the layers before.
  std::uint32_t first_bias = 0;              ///< Number of biases in the layers before.
  std::uint32_t first_trainable_weight = 0;  ///< Those of them that are not frozen.
  std::uint32_t first_trainable_bias = 0;    ///< Those of them that are not frozen.
  std::uint32_t first_trained_output = 0;    ///< Outputs of the layers before, from the first
                                             ///< trainable one on.
  std::uint32_t fused_index = 0;             ///< Number of fused layers before.
  std::uint32_t parameter_index = 0;         ///< Number of layers with parameters before.

  /// Trainable layers only: index of the first weight in a Delta, which has no place for frozen
  /// parameters; the first bias is weight_count later.
  [[nodiscard]] constexpr std::uint32_t first_parameter() const {
    return first_trainable_weight + first_trainable_bias;
  }
  /// Multiplications and additions of one forward pass.
  [[nodiscard]] constexpr std::uint64_t macs() const {
    return std::uint64_t{weight_count} * output.positions();
  }
};

/// The fused layers of a spec in order, for range-based for:
///
///     for (const FusedLayer& layer : FusedLayers(spec)) …
///
/// Requires a spec that plan_memory() accepts, and that outlives the range. constexpr, no heap.
/// With kOnlyParameters those without parameters are left out.
template <bool kOnlyParameters>
class LayerRange {
 public:
  class Iterator {
   public:
    using value_type = FusedLayer;
    using difference_type = std::ptrdiff_t;

    explicit constexpr Iterator(const ModelSpec& spec) : spec_(&spec) {
      layer_.output = spec.input_shape();
      find(0);
    }

    constexpr const FusedLayer& operator*() const { return layer_; }
    constexpr const FusedLayer* operator->() const { return &layer_; }
    constexpr Iterator& operator++() {
      find(layer_.layer_index + 1);
      return *this;
    }
    constexpr bool operator==(std::default_sentinel_t) const {
      return layer_.layer_index >= spec_->layer_count;
    }

   private:
    // Moves to the next layer of the range, the first of which may be at `index`.
    constexpr void find(std::uint32_t index) {
      do {
        index = seek(index);
        layer_.layer_index = index;
        if (index >= spec_->layer_count) return;
        count_previous();
        bind(spec_->layers[index++]);
      } while (kOnlyParameters && layer_.weight_count == 0);
      fuse(index);
    }

    // Adds the layer that was bound last to what lies before the next.
    constexpr void count_previous() {
      if (!bound_) return;
      ++layer_.fused_index;
      layer_.parameter_index += layer_.weight_count != 0 ? 1 : 0;
      layer_.first_weight += layer_.weight_count;
      layer_.first_bias += layer_.bias_count;
      trained_ |= layer_.trainable;
      if (trained_) layer_.first_trained_output += output_count_;
      if (!layer_.trainable) return;
      layer_.first_trainable_weight += layer_.weight_count;
      layer_.first_trainable_bias += layer_.bias_count;
    }

    // Skips what was fused or does not compute, from `index` on.
    constexpr std::uint32_t seek(std::uint32_t index) {
      layer_.input = layer_.output;
      for (; index < spec_->layer_count; ++index) {
        const LayerKind kind = spec_->layers[index].kind;
        if (kind == LayerKind::kFlatten) {
          layer_.input = {1, 1, static_cast<std::uint16_t>(layer_.input.size())};
        } else if (!is_activation(kind)) {
          break;
        }
      }
      return index;
    }

    constexpr void bind(const LayerSpec& spec) {
      const Result<Shape> shape = skep::output_shape(spec, layer_.input);
      bound_ = true;
      layer_.kind = spec.kind;
      layer_.window = spec.window;
      layer_.output = shape.ok() ? *shape : Shape{};
      output_count_ = static_cast<std::uint32_t>(layer_.output.size());
      layer_.trainable = has_parameters(spec.kind) && layer_.layer_index >= spec_->frozen_layers;
      count_parameters();
    }

    constexpr void count_parameters() {
      const std::uint32_t kernel = std::uint32_t{layer_.window.height} * layer_.window.width;
      layer_.fan_in = layer_.kind == LayerKind::kDense           ? layer_.input.channels
                      : layer_.kind == LayerKind::kConv          ? kernel * layer_.input.channels
                      : layer_.kind == LayerKind::kDepthwiseConv ? kernel
                                                                 : 0;
      layer_.weight_count = layer_.fan_in * layer_.output.channels;
      layer_.bias_count = layer_.fan_in == 0 ? 0 : layer_.output.channels;
      if (layer_.fan_in == 0) return;
      layer_.exponent_offset = layer_.end_offset;
      layer_.weights_offset = layer_.exponent_offset + 2;
      layer_.biases_offset = layer_.weights_offset + 2 * layer_.weight_count;
      layer_.end_offset = layer_.biases_offset + 4 * layer_.bias_count;
    }

    // Takes the activation that follows at once or behind a Flatten, which commutes with it.
    constexpr void fuse(std::uint32_t next) {
      layer_.activation = Activation::kNone;
      layer_.negative_slope_q15 = 0;
      while (next < spec_->layer_count && spec_->layers[next].kind == LayerKind::kFlatten) ++next;
      if (next >= spec_->layer_count) return;
      const LayerSpec& spec = spec_->layers[next];
      layer_.negative_slope_q15 = spec.negative_slope_q15;
      layer_.activation = spec.kind == LayerKind::kRelu        ? Activation::kRelu
                          : spec.kind == LayerKind::kLeakyRelu ? Activation::kLeakyRelu
                          : spec.kind == LayerKind::kSigmoid   ? Activation::kSigmoid
                          : spec.kind == LayerKind::kTanh      ? Activation::kTanh
                                                               : Activation::kNone;
    }

    const ModelSpec* spec_;
    FusedLayer layer_;
    std::uint32_t output_count_ = 0;
    bool bound_ = false;    // layer_ is a layer, not the sample before the first
    bool trained_ = false;  // a layer before this one is trainable
  };

  explicit constexpr LayerRange(const ModelSpec& spec) : spec_(&spec) {}
  LayerRange(const ModelSpec&&) = delete;  // The range would outlive a temporary.

  [[nodiscard]] constexpr Iterator begin() const { return Iterator(*spec_); }
  [[nodiscard]] constexpr std::default_sentinel_t end() const { return {}; }

 private:
  const ModelSpec* spec_;
};

using FusedLayers = LayerRange<false>;
using ParameterLayers = LayerRange<true>;

}  // namespace skep::learn
