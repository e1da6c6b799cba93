#include "spec_text.h"

#include <charconv>
#include <sstream>

#include "skep/exchange/describe.h"
#include "skep/learn/memory_plan.h"

namespace skep::skepctl {
namespace {

constexpr const char* kDensePrefix = "dense:";

[[noreturn]] void fail(const std::string& what) {
  throw CommandError(Status::kInvalidArgument, what);
}

std::uint16_t parse_width(const std::string& text, const std::string& layer) {
  std::uint16_t width = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, width);
  if (error != std::errc{} || stop != end || width == 0 || width > kMaxLayerWidth) {
    fail("layer '" + layer + "': expected a width from 1 to " + std::to_string(kMaxLayerWidth));
  }
  return width;
}

LayerSpec parse_layer(const std::string& layer, std::uint16_t width_before) {
  if (layer == "relu") return {LayerKind::kRelu, width_before};
  const std::string prefix = kDensePrefix;
  if (layer.starts_with(prefix)) {
    return {LayerKind::kDense, parse_width(layer.substr(prefix.size()), layer)};
  }
  fail("layer '" + layer + "' is none: expected dense:WIDTH or relu");
}

}  // namespace

ModelSpec parse_spec(std::uint32_t inputs, int input_exponent, const std::string& layers) {
  if (inputs > kMaxLayerWidth) {
    fail(std::to_string(inputs) + " inputs: expected at most " + std::to_string(kMaxLayerWidth));
  }
  if (input_exponent < INT8_MIN || input_exponent > INT8_MAX) {
    fail("the input exponent is " + std::to_string(input_exponent));
  }
  ModelSpec spec;
  spec.inputs = static_cast<std::uint16_t>(inputs);
  spec.input_exponent = static_cast<std::int8_t>(input_exponent);
  if (layers.ends_with(',')) fail("the layers '" + layers + "' end with a comma");
  std::istringstream stream(layers);
  for (std::string layer; std::getline(stream, layer, ',');) {
    if (spec.layer_count == kMaxLayers) fail("more than " + std::to_string(kMaxLayers) + " layers");
    spec.layers[spec.layer_count] = parse_layer(layer, spec.outputs());
    ++spec.layer_count;
  }
  (void)exchange::require_plan(spec);
  return spec;
}

std::string summarize(const ModelSpec& spec) {
  const learn::MemoryPlan plan = exchange::require_plan(spec);
  return std::to_string(spec.inputs) + " inputs, " + std::to_string(spec.layer_count) +
         " layers, " + std::to_string(plan.parameter_count) + " parameters, " +
         std::to_string(plan.training_bytes) + " bytes of RAM to train";
}

Json describe(const ModelSpec& spec) {
  const learn::MemoryPlan plan = exchange::require_plan(spec);
  Json layers = Json::array();
  Shape shape = spec.input_shape();
  const Shape input = shape;
  for (const LayerSpec& layer : spec.active_layers()) {
    shape = *output_shape(layer, shape);
    layers.push_back({{"kind", exchange::name_of(layer.kind)},
                      {"output", {shape.height, shape.width, shape.channels}}});
  }
  return {{"inputs", spec.inputs},
          {"input", {input.height, input.width, input.channels}},
          {"input_exponent", spec.input_exponent},
          {"layers", std::move(layers)},
          {"frozen_layers", spec.frozen_layers},
          {"loss", exchange::name_of(spec.loss)},
          {"parameter_count", plan.parameter_count},
          {"trainable_count", plan.trainable_count},
          {"inference_bytes", plan.inference_bytes},
          {"training_bytes", plan.training_bytes}};
}

}  // namespace skep::skepctl
