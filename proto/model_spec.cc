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
static_assert(static_cast<int>(Loss::kSoftmaxCrossEntropy) == skep_Loss_LOSS_SOFTMAX_CROSS_ENTROPY);

Result<std::uint16_t> to_width(std::uint32_t width) {
  if (width == 0) return Status::kMalformed;
  if (width > kMaxLayerWidth) return Status::kTooLarge;
  return static_cast<std::uint16_t>(width);
}

Result<LayerSpec> to_layer(const skep_LayerSpec& layer, std::uint16_t inputs) {
  const std::uint32_t kind = number_of(layer.kind);
  SKEP_TRY(check_enum(kind, {skep_LayerKind_LAYER_KIND_DENSE, skep_LayerKind_LAYER_KIND_RELU}));
  SKEP_ASSIGN_OR_RETURN(const std::uint16_t outputs, to_width(layer.outputs));
  SKEP_TRY(require(kind != skep_LayerKind_LAYER_KIND_RELU || outputs == inputs));
  return LayerSpec{static_cast<LayerKind>(kind), outputs};
}

}  // namespace

Result<ModelSpec> to_model_spec(const skep_ModelSpec& spec) {
  if (spec.version != 1) return Status::kUnsupportedVersion;
  SKEP_TRY(require(spec.input_exponent >= -30 && spec.input_exponent <= 15));
  const std::uint32_t loss = number_of(spec.loss);
  SKEP_TRY(check_enum(loss, {skep_Loss_LOSS_SOFTMAX_CROSS_ENTROPY}));
  SKEP_TRY(require(spec.layers_count >= 1 && spec.layers_count <= kMaxWireLayers));
  if (spec.layers_count > kMaxLayers) return Status::kTooLarge;

  ModelSpec result;
  SKEP_ASSIGN_OR_RETURN(result.inputs, to_width(spec.inputs));
  result.input_exponent = static_cast<std::int8_t>(spec.input_exponent);
  result.loss = static_cast<Loss>(loss);
  for (pb_size_t i = 0; i < spec.layers_count; ++i) {
    SKEP_ASSIGN_OR_RETURN(result.layers[i], to_layer(spec.layers[i], result.outputs()));
    ++result.layer_count;
  }
  return result;
}

skep_ModelSpec from_model_spec(const ModelSpec& spec) {
  skep_ModelSpec result{};
  result.version = 1;
  result.inputs = spec.inputs;
  result.input_exponent = spec.input_exponent;
  result.loss = static_cast<skep_Loss>(spec.loss);
  for (const LayerSpec& layer : spec.active_layers()) {
    skep_LayerSpec& out = result.layers[result.layers_count++];
    out.kind = static_cast<skep_LayerKind>(layer.kind);
    out.outputs = layer.outputs;
  }
  return result;
}

}  // namespace skep::wire
