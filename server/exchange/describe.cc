#include "skep/exchange/describe.h"

namespace skep::exchange {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string range(long low, long high) {
  return "expected " + std::to_string(low) + " to " + std::to_string(high);
}

std::string explain_fields(const LayerSpec& layer) {
  if (!has_window(layer.kind) && layer.window != Window{}) {
    return "a kernel, stride or padding: only convolutions and pools have one";
  }
  if (layer.kind == LayerKind::kLeakyRelu) return "its negative_slope_q15: " + range(1, INT16_MAX);
  if (layer.negative_slope_q15 != 0) return "a negative slope: only leaky_relu has one";
  return has_parameters(layer.kind)
             ? "its window: expected kernel and strides from 1 to 255, padding less than the kernel"
             : "its window: expected kernel and strides from 1 to 255 and no padding";
}

std::string explain_shape(const LayerSpec& layer, const Shape& input, const Shape& output) {
  if (output.size() == 0 && has_window(layer.kind)) {
    return "its kernel of " + number(layer.window.height) + "x" + number(layer.window.width) +
           " does not fit the padded input";
  }
  if (layer.outputs == 0) return "0 outputs: " + range(1, kMaxLayerWidth);
  return "says " + number(layer.outputs) + " outputs: expected " + number(output.channels) +
         " for this input of " + to_text(input);
}

/// The first layer that is refused, as learn::plan_memory() walks.
std::string explain_layers(const ModelSpec& spec) {
  Shape shape = spec.input_shape();
  bool trainable = false;
  bool is_first = true;
  LayerKind previous = LayerKind::kDense;
  for (std::size_t i = 0; i < spec.layer_count; ++i) {
    const LayerSpec& layer = spec.layers[i];
    const std::string where = "layer " + number(i) + " (" + name_of(layer.kind) + ")";
    const Status order = learn::internal::check_order(layer.kind, is_first, previous);
    if (order != Status::kOk) {
      return where +
             (is_first ? " is applied to the sample itself" : " follows another activation") +
             ": expected it after a layer that computes";
    }
    const Result<Shape> next = output_shape(layer, shape);
    if (!next.ok()) return where + ": " + explain(layer, shape, next.status());
    trainable |= has_parameters(layer.kind) && i >= spec.frozen_layers;
    shape = *next;
    if (layer.kind == LayerKind::kFlatten) continue;
    is_first = false;
    previous = layer.kind;
  }
  return trainable ? ""
                   : "nothing is left to train: expected a dense or conv layer that is not "
                     "frozen (frozen_layers is " +
                         number(spec.frozen_layers) + ")";
}

std::string explain_loss(const ModelSpec& spec) {
  if (spec.loss == Loss::kMeanSquaredError && spec.outputs() != spec.inputs) {
    return number(spec.outputs()) + " outputs for " + number(spec.inputs) +
           " inputs: mean_squared_error expects as many";
  }
  if (spec.loss == Loss::kBinaryCrossEntropy && spec.outputs() > 16) {
    return number(spec.outputs()) + " outputs: binary_cross_entropy expects at most 16";
  }
  return "";
}

std::string explain_sample(const ModelSpec& spec) {
  if (spec.input_exponent < learn::kMinInputExponent ||
      spec.input_exponent > learn::kMaxInputExponent) {
    return "the input exponent is " + std::to_string(spec.input_exponent) + ": " +
           range(learn::kMinInputExponent, learn::kMaxInputExponent);
  }
  if (spec.inputs == 0 || spec.inputs > kMaxLayerWidth) {
    return number(spec.inputs) + " inputs: " + range(1, kMaxLayerWidth);
  }
  if (spec.input_shape().size() == 0) {
    return number(spec.inputs) + " inputs of height " + number(spec.input_height) + " and width " +
           number(spec.input_width) + ": expected a multiple of their product";
  }
  return "";
}

std::string explain(const ModelSpec& spec, const learn::Optimizer& optimizer) {
  if (spec.layer_count == 0 || spec.layer_count > kMaxLayers) {
    return number(spec.layer_count) + " layers: " + range(1, kMaxLayers);
  }
  if (spec.frozen_layers > spec.layer_count) {
    return "frozen_layers is " + number(spec.frozen_layers) + ": " + range(0, spec.layer_count);
  }
  for (const std::string& text : {explain_sample(spec), explain_layers(spec), explain_loss(spec)}) {
    if (!text.empty()) return text;
  }
  if (optimizer.momentum_q15 > learn::kMaxMomentum_q15 ||
      optimizer.proximal_mu_q16 > learn::kMaxProximalMu_q16) {
    return "the optimizer: expected a momentum below 1 and a mu of at most 16";
  }
  return "more than " + number(kMaxParameters) + " parameters";
}

}  // namespace

const char* name_of(LayerKind kind) {
  switch (kind) {
    case LayerKind::kDense:
      return "dense";
    case LayerKind::kRelu:
      return "relu";
    case LayerKind::kConv:
      return "conv";
    case LayerKind::kDepthwiseConv:
      return "depthwise_conv";
    case LayerKind::kMaxPool:
      return "max_pool";
    case LayerKind::kAveragePool:
      return "average_pool";
    case LayerKind::kGlobalAveragePool:
      return "global_average_pool";
    case LayerKind::kFlatten:
      return "flatten";
    case LayerKind::kLeakyRelu:
      return "leaky_relu";
    case LayerKind::kSigmoid:
      return "sigmoid";
    case LayerKind::kTanh:
      return "tanh";
  }
  return "unknown";
}

const char* name_of(Loss loss) {
  switch (loss) {
    case Loss::kSoftmaxCrossEntropy:
      return "softmax_cross_entropy";
    case Loss::kMeanSquaredError:
      return "mean_squared_error";
    case Loss::kBinaryCrossEntropy:
      return "binary_cross_entropy";
  }
  return "unknown";
}

std::string to_text(const Shape& shape) {
  if (shape.positions() == 1) return number(shape.channels);
  return number(shape.height) + "x" + number(shape.width) + "x" + number(shape.channels);
}

std::string explain(const LayerSpec& layer, const Shape& input, Status status) {
  const std::string on_input = " (input " + to_text(input) + ")";
  if (status == Status::kUnsupported) {
    return "kind " + number(static_cast<unsigned>(layer.kind)) + " is not known";
  }
  if (status == Status::kTooLarge) {
    return "more than " + number(kMaxLayerWidth) + " values" + on_input;
  }
  if (layer.kind == LayerKind::kDense && input.positions() != 1) {
    return "expected a plain vector, not " + to_text(input) +
           ": put a flatten or a global_average_pool before it";
  }
  const bool fields_are_wrong =
      internal::check_window(layer) != Status::kOk ||
      (layer.negative_slope_q15 != 0) != (layer.kind == LayerKind::kLeakyRelu) ||
      layer.negative_slope_q15 > INT16_MAX;
  if (fields_are_wrong) return explain_fields(layer) + on_input;
  const Result<Shape> shape = internal::shape_of_kind(layer, input);
  return explain_shape(layer, input, shape.ok() ? *shape : Shape{}) + on_input;
}

learn::MemoryPlan require_plan(const ModelSpec& spec, const learn::Optimizer& optimizer) {
  const Result<learn::MemoryPlan> plan = learn::plan_memory(spec, optimizer);
  if (!plan.ok()) {
    throw ExchangeError(plan.status(),
                        "the spec is not a model that can run: " + explain(spec, optimizer));
  }
  return *plan;
}

}  // namespace skep::exchange
