// Whether a ModelSpec is a model that can run, and exactly how much RAM it then takes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "skep/learn/layers.h"
#include "skep/model_spec.h"
#include "skep/status.h"

namespace skep::learn {

/// Range of ModelSpec::input_exponent.
inline constexpr int kMinInputExponent = -30;
inline constexpr int kMaxInputExponent = 15;

/// What an Engine is made for: training needs memory that inference does not.
enum class Purpose : std::uint8_t { kInference, kTraining };

/// What training does besides plain SGD, both 0 by default; each takes memory of its own.
struct Optimizer {
  /// Momentum * 2^15, 0 … 32767: v = momentum * v + rate * gradient, w = w − v.
  std::uint16_t momentum_q15 = 0;
  /// FedProx's mu * 2^16 (Li et al., "Federated Optimization in Heterogeneous Networks", 2020),
  /// 0 … kMaxProximalMu: the gradient grows by mu * (w − w of the last load()).
  std::uint32_t proximal_mu_q16 = 0;

  friend bool operator==(const Optimizer&, const Optimizer&) = default;
};
inline constexpr std::uint16_t kMaxMomentum_q15 = 32767;
inline constexpr std::uint32_t kMaxProximalMu_q16 = 1U << 20;  // 16

struct MemoryPlan {
  std::uint32_t parameter_count = 0;     ///< Weights and biases.
  std::uint32_t trainable_count = 0;     ///< Those not frozen: the dimension of a Delta.
  std::uint32_t weights_blob_bytes = 0;  ///< Of the canonical blob (docs/reference/weights.md).
  std::uint32_t inference_bytes = 0;     ///< Memory of an Engine for kInference, to the byte.
  std::uint32_t training_bytes = 0;      ///< Memory of an Engine for kTraining, to the byte.
  std::uint64_t forward_macs = 0;        ///< Multiplications and additions to infer one sample.
  std::uint64_t training_macs = 0;       ///< … to train on one: forward, gradients, backward.

  friend bool operator==(const MemoryPlan&, const MemoryPlan&) = default;
};

/// Validates `spec` and computes its memory. Never overflows, whatever the spec.
///
/// constexpr, so that a firmware can write
/// `static_assert(plan_memory(kSpec).ok() && plan_memory(kSpec)->training_bytes <= sizeof arena)`.
///
/// Errors:
///   kInvalidArgument  no layer; a width of 0; inputs that the input's height and width do not
///                     divide; an input exponent outside of kMinInputExponent …
///                     kMaxInputExponent; layers that skep::output_shape() refuses; nothing to
///                     train; more frozen layers than layers; outputs that the loss does not
///                     allow; an optimizer out of its range.
///   kTooLarge         more than kMaxLayers layers, more than kMaxLayerWidth values between two,
///                     or more than kMaxParameters parameters.
///   kUnsupported      a layer kind or loss that this build does not know (SKEP_CONVOLUTIONS in
///                     skep/config.h leaves some out); an activation on the
///                     sample itself or on another activation (a ReLU on a ReLU is allowed).
[[nodiscard]] constexpr Result<MemoryPlan> plan_memory(const ModelSpec& spec,
                                                       const Optimizer& optimizer = {});

namespace internal {

/// Byte offsets of an Engine's arrays in the memory handed in, most aligned first.
struct Workspace {
  std::uint32_t scratch = 0;          // int64 or int32 sums of one layer, and what goes with them
  std::uint32_t biases = 0;           // int32
  std::uint32_t bias_velocities = 0;  // int32; trainable layers, with momentum
  std::uint32_t bias_anchors = 0;     // int32; trainable layers, with FedProx
  std::uint32_t weights = 0;          // int16
  std::uint32_t velocities = 0;       // int16; trainable layers, with momentum
  std::uint32_t anchors = 0;          // int16; trainable layers, with FedProx
  std::uint32_t activations = 0;      // int16; of one layer after the other
  std::uint32_t trained_activations = 0;  // int16; training keeps those from the first trainable
                                          // layer on
  std::uint32_t deltas = 0;               // int16, the widest trained layer; training only
  std::uint32_t features = 0;             // int16, the normalised sample, where it is trained on
  std::uint32_t weight_exponents = 0;     // int16, one a layer with parameters
  std::uint32_t input_exponents = 0;      // int16, one a fused layer; training only
  std::uint32_t size_bytes = 0;
};

/// What the Engine keeps besides its arrays; it lies at offset 0.
inline constexpr std::uint32_t kEngineStateBytes = 8;

constexpr std::uint32_t align(std::uint32_t offset, std::uint32_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

constexpr bool is_convolution(LayerKind kind) {
  return kind == LayerKind::kConv || kind == LayerKind::kDepthwiseConv;
}

/// Where a convolution's arrays lie in the scratch, in bytes: first the sums of all channels at
/// one position or of one weight, int64; then the biases in the unit of the stage, int32, and the
/// int32 that become the layer's outputs or its input's gradient; then, int16, what is gathered
/// for the kernels. A depthwise convolution gathers nothing.
struct ConvScratch {
  std::uint32_t biases = 0;
  std::uint32_t staged = 0;
  std::uint32_t patch = 0;   // forward: the inputs that one output sees, [fan_in]
  std::uint32_t column = 0;  // weight gradient: the inputs that meet one weight, [positions]
  std::uint32_t planes = 0;  // weight gradient: the deltas, [channels][positions]
  std::uint32_t kernel = 0;  // input gradient: one input channel's weights, [taps][channels]
  std::uint32_t forward_bytes = 0;
  std::uint32_t backward_bytes = 0;
};

/// `propagates`: the gradient of the layer's input is wanted, too.
constexpr ConvScratch lay_out_conv(const FusedLayer& layer, bool propagates) {
  const auto outputs = static_cast<std::uint32_t>(layer.output.size());
  const std::uint32_t inputs = propagates ? static_cast<std::uint32_t>(layer.input.size()) : 0;
  const std::uint32_t positions = layer.output.positions();
  ConvScratch at;
  at.biases = 8U * layer.output.channels;
  at.staged = at.biases + 4U * layer.output.channels;
  at.patch = at.staged + 4 * outputs;
  at.column = at.staged + 4 * inputs;
  if (layer.kind == LayerKind::kDepthwiseConv) {
    at.forward_bytes = at.patch;
    at.backward_bytes = at.column;
    return at;
  }
  at.forward_bytes = at.patch + 2 * layer.fan_in;
  at.planes = at.column + 2 * positions;
  at.kernel = at.column;
  const std::uint32_t kernel_end =
      at.kernel +
      (propagates ? 2 * layer.window.height * layer.window.width * layer.output.channels : 0);
  at.backward_bytes = std::max(at.planes + 2 * outputs, kernel_end);
  return at;
}

constexpr std::uint32_t forward_scratch_bytes(const FusedLayer& layer) {
  const auto outputs = static_cast<std::uint32_t>(layer.output.size());
  if (is_convolution(layer.kind)) return lay_out_conv(layer, false).forward_bytes;
  return layer.kind == LayerKind::kDense ? 8 * outputs : 4 * outputs;
}

/// `propagates`: the gradient of the layer's input is wanted, too.
constexpr std::uint32_t backward_scratch_bytes(const FusedLayer& layer, bool propagates) {
  if (is_convolution(layer.kind)) return lay_out_conv(layer, propagates).backward_bytes;
  if (!propagates) return 0;
  const auto inputs = static_cast<std::uint32_t>(layer.input.size());
  return layer.kind == LayerKind::kDense ? 8 * inputs : 4 * inputs;
}

/// What the layers of a validated spec add up to.
struct Totals {
  std::uint32_t layer_count = 0;            // fused
  std::uint32_t first_trained = 0;          // fused index of the first trainable layer
  std::uint32_t parameter_layer_count = 0;  // those with parameters
  std::uint32_t weight_count = 0;
  std::uint32_t bias_count = 0;
  std::uint32_t trainable_weight_count = 0;
  std::uint32_t trainable_bias_count = 0;
  std::uint32_t blob_bytes = 0;
  std::uint32_t widest = 0;           // most outputs of a layer
  std::uint32_t widest_frozen = 0;    // … of those before the first trainable one
  std::uint32_t widest_trained = 0;   // … of the first trainable one and those after it
  std::uint32_t trained_outputs = 0;  // outputs of the latter, added up
  std::uint32_t forward_scratch_bytes = 0;
  std::uint32_t backward_scratch_bytes = 0;
  std::uint64_t forward_macs = 0;
  std::uint64_t training_macs = 0;
};

constexpr void count_trained(const FusedLayer& layer, bool propagates, Totals& totals) {
  const auto outputs = static_cast<std::uint32_t>(layer.output.size());
  totals.widest_trained = std::max(totals.widest_trained, outputs);
  totals.trained_outputs += outputs;
  totals.backward_scratch_bytes =
      std::max(totals.backward_scratch_bytes, backward_scratch_bytes(layer, propagates));
  totals.training_macs += (layer.trainable ? layer.macs() : 0) + (propagates ? layer.macs() : 0);
  if (!layer.trainable) return;
  totals.trainable_weight_count += layer.weight_count;
  totals.trainable_bias_count += layer.bias_count;
}

constexpr Totals count(const ModelSpec& spec) {
  Totals totals;
  bool trained = false;  // a layer before this one is trainable
  for (const FusedLayer& layer : FusedLayers(spec)) {
    const auto outputs = static_cast<std::uint32_t>(layer.output.size());
    totals.weight_count += layer.weight_count;
    totals.bias_count += layer.bias_count;
    totals.parameter_layer_count += layer.weight_count != 0 ? 1 : 0;
    totals.blob_bytes = layer.end_offset;
    totals.widest = std::max(totals.widest, outputs);
    totals.forward_scratch_bytes =
        std::max(totals.forward_scratch_bytes, forward_scratch_bytes(layer));
    totals.forward_macs += layer.macs();
    totals.training_macs += layer.macs();
    if (trained || layer.trainable) {
      count_trained(layer, trained, totals);
      if (!trained) totals.first_trained = totals.layer_count;
      trained = true;
    } else {
      totals.widest_frozen = totals.widest;
    }
    ++totals.layer_count;
  }
  // The gradient of the loss is computed in 64 bits an output.
  totals.backward_scratch_bytes =
      std::max<std::uint32_t>(totals.backward_scratch_bytes, 8U * spec.outputs());
  return totals;
}

/// Requires a validated spec: all sizes are then far below 2^32.
constexpr Workspace lay_out(const ModelSpec& spec, Purpose purpose, const Optimizer& optimizer) {
  const Totals totals = count(spec);
  const bool training = purpose == Purpose::kTraining;
  const bool momentum = training && optimizer.momentum_q15 != 0;
  const bool proximal = training && optimizer.proximal_mu_q16 != 0;
  const std::uint32_t scratch_bytes =
      training ? std::max(totals.forward_scratch_bytes, totals.backward_scratch_bytes)
               : totals.forward_scratch_bytes;
  Workspace at;
  at.scratch = kEngineStateBytes;
  at.biases = at.scratch + align(scratch_bytes, 4);
  at.bias_velocities = at.biases + 4 * totals.bias_count;
  at.bias_anchors = at.bias_velocities + (momentum ? 4 * totals.trainable_bias_count : 0);
  at.weights = at.bias_anchors + (proximal ? 4 * totals.trainable_bias_count : 0);
  at.velocities = at.weights + 2 * totals.weight_count;
  at.anchors = at.velocities + (momentum ? 2 * totals.trainable_weight_count : 0);
  at.activations = at.anchors + (proximal ? 2 * totals.trainable_weight_count : 0);
  at.trained_activations = at.activations + 2 * (training ? totals.widest_frozen : totals.widest);
  at.deltas = at.trained_activations + (training ? 2 * totals.trained_outputs : 0);
  at.features = at.deltas + (training ? 2 * totals.widest_trained : 0);
  // Last, because one of them alone is half a word: the kernels are faster where vectors begin at
  // words.
  at.weight_exponents =
      at.features + (training && totals.first_trained == 0 ? 2U * spec.inputs : 0);
  at.input_exponents = at.weight_exponents + 2 * totals.parameter_layer_count;
  at.size_bytes = at.input_exponents + (training ? 2 * totals.layer_count : 0);
  return at;
}

constexpr Status check_sample(const ModelSpec& spec) {
  if (spec.input_exponent < kMinInputExponent || spec.input_exponent > kMaxInputExponent) {
    return Status::kInvalidArgument;
  }
  if (spec.input_shape().size() == 0) return Status::kInvalidArgument;
  return spec.inputs > kMaxLayerWidth ? Status::kTooLarge : Status::kOk;
}

/// Whether the layer looks at more than one position at once.
constexpr bool is_spatial(LayerKind kind) {
  return has_window(kind) || kind == LayerKind::kGlobalAveragePool;
}

/// Whether a layer may follow what was before it, Flattens left out.
constexpr Status check_order(LayerKind kind, bool is_first, LayerKind previous) {
  if (!kHasConvolutions && is_spatial(kind)) return Status::kUnsupported;
  if (!is_activation(kind)) return Status::kOk;
  const bool relu_twice = kind == LayerKind::kRelu && previous == LayerKind::kRelu;
  return is_first || (is_activation(previous) && !relu_twice) ? Status::kUnsupported : Status::kOk;
}

constexpr std::uint64_t parameters_of(const LayerSpec& layer, const Shape& input) {
  const std::uint64_t kernel = std::uint64_t{layer.window.height} * layer.window.width;
  switch (layer.kind) {
    case LayerKind::kDense:
      return (std::uint64_t{input.channels} + 1) * layer.outputs;
    case LayerKind::kConv:
      return (kernel * input.channels + 1) * layer.outputs;
    case LayerKind::kDepthwiseConv:
      return (kernel + 1) * layer.outputs;
    default:
      return 0;
  }
}

constexpr Status check_layers(const ModelSpec& spec) {
  std::uint64_t parameters = 0;  // ≤ kMaxParameters + 2^49 at any time
  bool trainable = false;
  bool is_first = true;                    // nothing but Flattens before
  LayerKind previous = LayerKind::kDense;  // the last that is not a Flatten
  Shape shape = spec.input_shape();
  for (std::uint32_t index = 0; index < spec.layer_count; ++index) {
    const LayerSpec& layer = spec.layers[index];
    SKEP_TRY(check_order(layer.kind, is_first, previous));
    const std::uint64_t own = parameters_of(layer, shape);
    SKEP_ASSIGN_OR_RETURN(shape, output_shape(layer, shape));
    parameters += own;
    if (parameters > kMaxParameters) return Status::kTooLarge;
    trainable |= own != 0 && index >= spec.frozen_layers;
    if (layer.kind == LayerKind::kFlatten) continue;
    is_first = false;
    previous = layer.kind;
  }
  return trainable ? Status::kOk : Status::kInvalidArgument;
}

constexpr Status check_loss(const ModelSpec& spec) {
  switch (spec.loss) {
    case Loss::kSoftmaxCrossEntropy:
      return Status::kOk;
    case Loss::kMeanSquaredError:
      return spec.outputs() == spec.inputs ? Status::kOk : Status::kInvalidArgument;
    case Loss::kBinaryCrossEntropy:
      return spec.outputs() <= 16 ? Status::kOk : Status::kInvalidArgument;
  }
  return Status::kUnsupported;
}

constexpr Status check(const ModelSpec& spec) {
  if (spec.layer_count == 0) return Status::kInvalidArgument;
  if (spec.layer_count > kMaxLayers) return Status::kTooLarge;
  if (spec.frozen_layers > spec.layer_count) return Status::kInvalidArgument;
  SKEP_TRY(check_sample(spec));
  SKEP_TRY(check_layers(spec));
  return check_loss(spec);
}

constexpr Status check(const Optimizer& optimizer) {
  return optimizer.momentum_q15 <= kMaxMomentum_q15 &&
                 optimizer.proximal_mu_q16 <= kMaxProximalMu_q16
             ? Status::kOk
             : Status::kInvalidArgument;
}

}  // namespace internal

constexpr Result<MemoryPlan> plan_memory(const ModelSpec& spec, const Optimizer& optimizer) {
  SKEP_TRY(internal::check(spec));
  SKEP_TRY(internal::check(optimizer));
  const internal::Totals totals = internal::count(spec);
  return MemoryPlan{
      .parameter_count = totals.weight_count + totals.bias_count,
      .trainable_count = totals.trainable_weight_count + totals.trainable_bias_count,
      .weights_blob_bytes = totals.blob_bytes,
      .inference_bytes = internal::lay_out(spec, Purpose::kInference, optimizer).size_bytes,
      .training_bytes = internal::lay_out(spec, Purpose::kTraining, optimizer).size_bytes,
      .forward_macs = totals.forward_macs,
      .training_macs = totals.training_macs,
  };
}

static_assert(std::uint64_t{kMaxParameters} * 16 +
                      std::uint64_t{kMaxLayerWidth} * (2 * kMaxLayers + 32) <
                  0x80000000U,
              "blob and workspace sizes are computed in 32 bits");

}  // namespace skep::learn
