// Whether a ModelSpec is a model that can run, and exactly how much RAM it then takes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "skep/learn/weights.h"
#include "skep/model_spec.h"
#include "skep/status.h"

namespace skep::learn {

/// Range of ModelSpec::input_exponent.
inline constexpr int kMinInputExponent = -30;
inline constexpr int kMaxInputExponent = 15;

/// What an Engine is made for: training needs memory that inference does not.
enum class Purpose : std::uint8_t { kInference, kTraining };

struct MemoryPlan {
  std::uint32_t parameter_count = 0;  ///< Weights and biases: the dimension of a Delta.
  std::uint32_t weights_blob_bytes =
      0;                              ///< Size of the canonical blob (docs/reference/weights.md).
  std::uint32_t inference_bytes = 0;  ///< Memory of an Engine for kInference, to the byte.
  std::uint32_t training_bytes = 0;   ///< Memory of an Engine for kTraining, to the byte.

  friend bool operator==(const MemoryPlan&, const MemoryPlan&) = default;
};

/// Validates `spec` and computes its memory. Never overflows, whatever the spec.
///
/// constexpr, so that a firmware can write
/// `static_assert(plan_memory(kSpec).ok() && plan_memory(kSpec)->training_bytes <= sizeof arena)`.
///
/// Errors:
///   kInvalidArgument  no layer; a width of 0; a ReLU whose outputs are not its inputs;
///                     an input exponent outside of kMinInputExponent … kMaxInputExponent.
///   kTooLarge         more than kMaxLayers layers, a width above kMaxLayerWidth, or more than
///                     kMaxParameters parameters.
///   kUnsupported      a layer kind or loss that this build does not know; a first layer that is
///                     not Dense.
[[nodiscard]] constexpr Result<MemoryPlan> plan_memory(const ModelSpec& spec);

namespace internal {

/// Byte offsets of an Engine's arrays in the memory handed in, most aligned first.
struct Workspace {
  std::uint32_t accumulators = 0;      // int64, one for each output of the widest Dense layer
  std::uint32_t biases = 0;            // int32
  std::uint32_t weights = 0;           // int16
  std::uint32_t weight_exponents = 0;  // int16, one a Dense layer
  std::uint32_t input_exponents = 0;   // int16, one a Dense layer; training only
  std::uint32_t activations = 0;       // int16; training keeps the outputs of all Dense layers
  std::uint32_t deltas = 0;            // int16, widest Dense layer; training only
  std::uint32_t features = 0;          // int16, the normalised input; training only
  std::uint32_t size_bytes = 0;
};

/// What the Engine keeps besides its arrays; it lies at offset 0.
inline constexpr std::uint32_t kEngineStateBytes = 8;

struct Totals {
  std::uint32_t dense_count = 0;
  std::uint32_t weight_count = 0;
  std::uint32_t bias_count = 0;
  std::uint32_t widest = 0;
  std::uint32_t blob_bytes = 0;
};

constexpr Totals count(const ModelSpec& spec) {
  Totals totals;
  for (const LayerWeightsLayout& layer : DenseLayers(spec)) {
    ++totals.dense_count;
    totals.weight_count += layer.weight_count;
    totals.bias_count += layer.bias_count;
    totals.widest = std::max<std::uint32_t>(totals.widest, layer.outputs);
    totals.blob_bytes = layer.end_offset;
  }
  return totals;
}

/// Requires a validated spec: all sizes are then far below 2^32.
constexpr Workspace lay_out(const ModelSpec& spec, Purpose purpose) {
  const Totals totals = count(spec);
  const bool training = purpose == Purpose::kTraining;
  Workspace at;
  at.accumulators = kEngineStateBytes;
  at.biases = at.accumulators + 8 * totals.widest;
  at.weights = at.biases + 4 * totals.bias_count;
  at.weight_exponents = at.weights + 2 * totals.weight_count;
  at.input_exponents = at.weight_exponents + 2 * totals.dense_count;
  at.activations = at.input_exponents + (training ? 2 * totals.dense_count : 0);
  at.deltas = at.activations + 2 * (training ? totals.bias_count : totals.widest);
  at.features = at.deltas + (training ? 2 * totals.widest : 0);
  at.size_bytes = at.features + (training ? 2U * spec.inputs : 0);
  return at;
}

constexpr Status check_width(std::uint32_t width) {
  if (width == 0) return Status::kInvalidArgument;
  return width > kMaxLayerWidth ? Status::kTooLarge : Status::kOk;
}

constexpr Status check_layer(const LayerSpec& layer, std::uint32_t index, std::uint32_t inputs) {
  switch (layer.kind) {
    case LayerKind::kDense:
      return check_width(layer.outputs);
    case LayerKind::kRelu:
      if (index == 0) return Status::kUnsupported;
      return layer.outputs == inputs ? Status::kOk : Status::kInvalidArgument;
  }
  return Status::kUnsupported;
}

constexpr Status check(const ModelSpec& spec) {
  if (spec.layer_count == 0) return Status::kInvalidArgument;
  if (spec.layer_count > kMaxLayers) return Status::kTooLarge;
  if (spec.loss != Loss::kSoftmaxCrossEntropy) return Status::kUnsupported;
  if (spec.input_exponent < kMinInputExponent || spec.input_exponent > kMaxInputExponent) {
    return Status::kInvalidArgument;
  }
  SKEP_TRY(check_width(spec.inputs));
  std::uint64_t parameters = 0;  // ≤ kMaxParameters + 2^32 at any time
  std::uint32_t width = spec.inputs;
  for (std::uint32_t index = 0; index < spec.layer_count; ++index) {
    const LayerSpec& layer = spec.layers[index];
    SKEP_TRY(check_layer(layer, index, width));
    if (layer.kind == LayerKind::kDense) {
      parameters += (std::uint64_t{width} + 1) * layer.outputs;
      if (parameters > kMaxParameters) return Status::kTooLarge;
    }
    width = layer.outputs;
  }
  return Status::kOk;
}

}  // namespace internal

constexpr Result<MemoryPlan> plan_memory(const ModelSpec& spec) {
  SKEP_TRY(internal::check(spec));
  const internal::Totals totals = internal::count(spec);
  return MemoryPlan{
      .parameter_count = totals.weight_count + totals.bias_count,
      .weights_blob_bytes = totals.blob_bytes,
      .inference_bytes = internal::lay_out(spec, Purpose::kInference).size_bytes,
      .training_bytes = internal::lay_out(spec, Purpose::kTraining).size_bytes,
  };
}

static_assert(std::uint64_t{kMaxParameters} * 8 < 0x40000000U,
              "blob and workspace sizes are computed in 32 bits");

}  // namespace skep::learn
