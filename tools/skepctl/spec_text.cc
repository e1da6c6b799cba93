#include "spec_text.h"

#include <charconv>
#include <sstream>

#include "answer.h"
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
  if (inputs == 0 || inputs > kMaxLayerWidth) {
    fail("a model has 1 to " + std::to_string(kMaxLayerWidth) + " inputs, not " +
         std::to_string(inputs));
  }
  if (input_exponent < learn::kMinInputExponent || input_exponent > learn::kMaxInputExponent) {
    fail("the input exponent is " + std::to_string(learn::kMinInputExponent) + " to " +
         std::to_string(learn::kMaxInputExponent) + ", not " + std::to_string(input_exponent));
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
  const Result<learn::MemoryPlan> plan = learn::plan_memory(spec);
  if (!plan.ok()) {
    fail("the layers '" + layers + "' are not a model that can run (" + to_string(plan.status()) +
         "): expected a dense layer first and at most " + std::to_string(kMaxParameters) +
         " parameters");
  }
  return spec;
}

std::string format_layers(const ModelSpec& spec) {
  std::string text;
  for (const LayerSpec& layer : spec.active_layers()) {
    if (!text.empty()) text += ",";
    text += layer.kind == LayerKind::kRelu ? "relu" : kDensePrefix + std::to_string(layer.outputs);
  }
  return text;
}

}  // namespace skep::skepctl
