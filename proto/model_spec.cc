#include "skep/model_spec.h"

#include "check.h"
#include "skep/wire/codec.h"

namespace skep::wire {
namespace {

constexpr std::size_t kMaxWireLayers = std::extent_v<decltype(skep_ModelSpec::layers)>;
static_assert(kMaxLayers <= kMaxWireLayers,
              "SKEP_MAX_LAYERS exceeds what proto/skep.options allows");
static_assert(static_cast<int>(LayerKind::kDense) == skep_LayerKind_LAYER_KIND_DENSE);
static_assert(static_cast<int>(LayerKind::kRelu) == skep_LayerKind_LAYER_KIND_RELU);
static_assert(static_cast<int>(LayerKind::kConv) == skep_LayerKind_LAYER_KIND_CONV);
static_assert(static_cast<int>(LayerKind::kTanh) == skep_LayerKind_LAYER_KIND_TANH);
static_assert(static_cast<int>(Loss::kSoftmaxCrossEntropy) == skep_Loss_LOSS_SOFTMAX_CROSS_ENTROPY);
static_assert(static_cast<int>(Loss::kBinaryCrossEntropy) == skep_Loss_LOSS_BINARY_CROSS_ENTROPY);

constexpr std::uint32_t kLastKindOfVersion1 = skep_LayerKind_LAYER_KIND_RELU;
constexpr std::uint32_t kLastLossOfVersion1 = skep_Loss_LOSS_SOFTMAX_CROSS_ENTROPY;

/// Numbers from 1 to `last` are known.
Status check_known(std::uint32_t number, std::uint32_t last) {
  if (number == 0) return Status::kMalformed;
  return number > last ? Status::kUnsupported : Status::kOk;
}

Result<std::uint16_t> to_width(std::uint32_t width) {
  if (width == 0) return Status::kMalformed;
  if (width > kMaxLayerWidth) return Status::kTooLarge;
  return static_cast<std::uint16_t>(width);
}

Window window_of(const skep_LayerSpec& layer) {
  return {.height = layer.kernel_height,
          .width = layer.kernel_width,
          .stride_height = layer.stride_height,
          .stride_width = layer.stride_width,
          .pad_top = layer.pad_top,
          .pad_bottom = layer.pad_bottom,
          .pad_left = layer.pad_left,
          .pad_right = layer.pad_right};
}

Result<LayerSpec> to_layer(const skep_LayerSpec& layer) {
  const std::uint32_t kind = number_of(layer.kind);
  SKEP_TRY(check_known(kind, skep_LayerKind_LAYER_KIND_TANH));
  SKEP_ASSIGN_OR_RETURN(const std::uint16_t outputs, to_width(layer.outputs));
  return LayerSpec{.kind = static_cast<LayerKind>(kind),
                   .outputs = outputs,
                   .window = window_of(layer),
                   .negative_slope_q15 = layer.negative_slope_q15};
}

/// Whether version 1 has words for the layers and the loss.
bool has_only_known_to_version1(const skep_ModelSpec& spec) {
  for (pb_size_t i = 0; i < spec.layers_count; ++i) {
    if (number_of(spec.layers[i].kind) > kLastKindOfVersion1) return false;
  }
  return number_of(spec.loss) <= kLastLossOfVersion1;
}

/// Version 1 has no shape and freezes nothing; version 2 is for what version 1 cannot say.
Status check_version(const skep_ModelSpec& spec) {
  const bool known = has_only_known_to_version1(spec);
  if (spec.version == 1) {
    SKEP_TRY(require(spec.input_height == 0 && spec.input_width == 0 && spec.frozen_layers == 0));
    return known ? Status::kOk : Status::kUnsupported;
  }
  const bool plain = spec.input_height == 1 && spec.input_width == 1 && spec.frozen_layers == 0;
  return require(spec.input_height >= 1 && spec.input_width >= 1 && !(known && plain));
}

/// Whether the layers follow from one another; kTooLarge if one is too large for this build.
Status check_shapes(const ModelSpec& spec) {
  Shape shape = spec.input_shape();
  SKEP_TRY(require(shape.size() != 0));
  for (const LayerSpec& layer : spec.active_layers()) {
    const Result<Shape> next = output_shape(layer, shape);
    if (next.status() == Status::kInvalidArgument) return Status::kMalformed;
    if (!next.ok()) return next.status();
    shape = *next;
  }
  return Status::kOk;
}

}  // namespace

Result<ModelSpec> to_model_spec(const skep_ModelSpec& spec) {
  if (spec.version != 1 && spec.version != 2) return Status::kUnsupportedVersion;
  SKEP_TRY(require(spec.input_exponent >= -30 && spec.input_exponent <= 15));
  const std::uint32_t loss = number_of(spec.loss);
  SKEP_TRY(check_known(loss, skep_Loss_LOSS_BINARY_CROSS_ENTROPY));
  SKEP_TRY(require(spec.layers_count >= 1 && spec.layers_count <= kMaxWireLayers));
  if (spec.layers_count > kMaxLayers) return Status::kTooLarge;

  ModelSpec result;
  SKEP_ASSIGN_OR_RETURN(result.inputs, to_width(spec.inputs));
  result.input_exponent = static_cast<std::int8_t>(spec.input_exponent);
  result.loss = static_cast<Loss>(loss);
  for (pb_size_t i = 0; i < spec.layers_count; ++i) {
    SKEP_ASSIGN_OR_RETURN(result.layers[i], to_layer(spec.layers[i]));
    ++result.layer_count;
  }
  SKEP_TRY(check_version(spec));
  if (spec.version == 2) {
    result.input_height = spec.input_height;
    result.input_width = spec.input_width;
    result.frozen_layers = spec.frozen_layers;
  }
  SKEP_TRY(require(result.frozen_layers <= result.layer_count));
  SKEP_TRY(check_shapes(result));
  return result;
}

skep_ModelSpec from_model_spec(const ModelSpec& spec) {
  skep_ModelSpec result{};
  result.version = 2;
  result.inputs = spec.inputs;
  result.input_exponent = spec.input_exponent;
  result.loss = static_cast<skep_Loss>(spec.loss);
  result.input_height = spec.input_height;
  result.input_width = spec.input_width;
  result.frozen_layers = spec.frozen_layers;
  for (const LayerSpec& layer : spec.active_layers()) {
    skep_LayerSpec& out = result.layers[result.layers_count++];
    out.kind = static_cast<skep_LayerKind>(layer.kind);
    out.outputs = layer.outputs;
    out.kernel_height = layer.window.height;
    out.kernel_width = layer.window.width;
    out.stride_height = layer.window.stride_height;
    out.stride_width = layer.window.stride_width;
    out.pad_top = layer.window.pad_top;
    out.pad_bottom = layer.window.pad_bottom;
    out.pad_left = layer.window.pad_left;
    out.pad_right = layer.window.pad_right;
    out.negative_slope_q15 = layer.negative_slope_q15;
  }
  if (check_version(result) != Status::kOk) {
    result.version = 1;
    result.input_height = result.input_width = 0;
  }
  return result;
}

}  // namespace skep::wire
