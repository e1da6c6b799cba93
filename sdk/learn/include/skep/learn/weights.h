// Where each layer's parameters lie in the canonical weights blob (docs/reference/weights.md).
#pragma once

#include <cstdint>
#include <iterator>

#include "skep/model_spec.h"

namespace skep::learn {

/// Range of a layer's weight exponent. Weights are int16 * 2^exponent, biases int32 *
/// 2^(exponent − 16): both cover the same range of values.
inline constexpr int kMinWeightExponent = -30;
inline constexpr int kMaxWeightExponent = 0;
inline constexpr int kBiasFractionBits = 16;

/// One Dense layer's place in the blob and in a flat parameter vector such as skep::Delta.
struct LayerWeightsLayout {
  std::uint32_t layer_index = 0;  ///< In ModelSpec::layers.
  std::uint16_t inputs = 0;
  std::uint16_t outputs = 0;

  std::uint32_t weight_count = 0;  ///< inputs * outputs; W is row-major [outputs][inputs].
  std::uint32_t bias_count = 0;    ///< outputs.

  std::uint32_t exponent_offset = 0;  ///< Of the int16 exponent, in bytes from the blob's start.
  std::uint32_t weights_offset = 0;   ///< Of W[0][0], int16 each.
  std::uint32_t biases_offset = 0;    ///< Of b[0], int32 each.
  std::uint32_t end_offset = 0;       ///< One past the layer's last byte.

  std::uint32_t first_parameter = 0;  ///< Index of W[0][0] in a Delta; b[0] is weight_count later.
  std::uint32_t first_weight = 0;     ///< Number of weights in the layers before.
  std::uint32_t first_bias = 0;       ///< Number of biases (= Dense outputs) in the layers before.
};

/// The Dense layers of a spec in order, for range-based for:
///
///     for (const LayerWeightsLayout& layer : DenseLayers(spec)) …
///
/// Requires a spec that plan_memory() accepts, and that outlives the range. constexpr, no heap.
class DenseLayers {
 public:
  class Iterator {
   public:
    using value_type = LayerWeightsLayout;
    using difference_type = std::ptrdiff_t;

    explicit constexpr Iterator(const ModelSpec& spec) : spec_(&spec) { seek(0, 0, spec.inputs); }

    constexpr const LayerWeightsLayout& operator*() const { return layout_; }
    constexpr const LayerWeightsLayout* operator->() const { return &layout_; }
    constexpr Iterator& operator++() {
      const LayerWeightsLayout previous = layout_;
      layout_.first_weight += previous.weight_count;
      layout_.first_bias += previous.bias_count;
      layout_.first_parameter = layout_.first_weight + layout_.first_bias;
      seek(previous.layer_index + 1, previous.end_offset, previous.outputs);
      return *this;
    }
    constexpr bool operator==(std::default_sentinel_t) const {
      return layout_.layer_index >= spec_->layer_count;
    }

   private:
    // Moves to the first Dense layer at or after `index`; the layers between keep the width.
    constexpr void seek(std::uint32_t index, std::uint32_t offset, std::uint16_t inputs) {
      while (index < spec_->layer_count && spec_->layers[index].kind != LayerKind::kDense) ++index;
      layout_.layer_index = index;
      if (index >= spec_->layer_count) return;
      layout_.inputs = inputs;
      layout_.outputs = spec_->layers[index].outputs;
      layout_.weight_count = std::uint32_t{layout_.inputs} * layout_.outputs;
      layout_.bias_count = layout_.outputs;
      layout_.exponent_offset = offset;
      layout_.weights_offset = offset + 2;
      layout_.biases_offset = layout_.weights_offset + 2 * layout_.weight_count;
      layout_.end_offset = layout_.biases_offset + 4 * layout_.bias_count;
    }

    const ModelSpec* spec_;
    LayerWeightsLayout layout_;
  };

  explicit constexpr DenseLayers(const ModelSpec& spec) : spec_(&spec) {}
  DenseLayers(const ModelSpec&&) = delete;  // The range would outlive a temporary.

  [[nodiscard]] constexpr Iterator begin() const { return Iterator(*spec_); }
  [[nodiscard]] constexpr std::default_sentinel_t end() const { return {}; }

 private:
  const ModelSpec* spec_;
};

}  // namespace skep::learn
