#include "skep/exchange/onnx_import.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

#include "onnx_chain.h"
#include "onnx_node.h"
#include "quantize.h"
#include "skep/exchange/describe.h"
#include "value_layout.h"

namespace skep::exchange {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw ExchangeError(Status::kUnsupported, where + ": " + what);
}

std::uint16_t width_of(std::int64_t width, const std::string& where) {
  if (width < 1 || width > static_cast<std::int64_t>(kMaxLayerWidth)) {
    throw ExchangeError(Status::kTooLarge, where + ": " + std::to_string(width) +
                                               " outputs: expected 1 to " +
                                               std::to_string(kMaxLayerWidth));
  }
  return static_cast<std::uint16_t>(width);
}

/// What the last operator says about the loss.
enum class End { kPlain, kSoftmax, kSigmoid };

/// Takes the steps one by one and grows the spec, its parameters in our order.
class Importer {
 public:
  Importer(const OnnxChain& chain, const ImportOptions& options)
      : chain_(chain), options_(options), layout_(chain.input_extents()) {}

  Model run() {
    std::vector<Step> steps = chain_.steps();
    const auto computes_nothing = [](const Step& step) {
      return step.node->op_type() == "Identity" || step.node->op_type() == "Dropout";
    };
    while (steps.size() > 1 && computes_nothing(steps.back())) steps.pop_back();
    const Step last = steps.back();
    steps.pop_back();
    for (const Step& step : steps) import(step);
    finish(last);
    return build();
  }

 private:
  using Handler = void (Importer::*)(const Step&);

  static Handler handler_of(std::string_view op) {
    static const std::map<std::string_view, Handler> kHandlers = {
        {"Add", &Importer::add_bias},
        {"AveragePool", &Importer::pool},
        {"BatchNormalization", &Importer::fold_normalization},
        {"Conv", &Importer::conv},
        {"Dropout", &Importer::check_dropout},
        {"Flatten", &Importer::flatten},
        {"Gemm", &Importer::gemm},
        {"GlobalAveragePool", &Importer::global_average},
        {"Identity", &Importer::skip},
        {"LeakyRelu", &Importer::leaky_relu},
        {"MatMul", &Importer::matmul},
        {"MaxPool", &Importer::pool},
        {"ReduceMean", &Importer::mean},
        {"Relu", &Importer::activation},
        {"Reshape", &Importer::reshape},
        {"Sigmoid", &Importer::activation},
        {"Squeeze", &Importer::squeeze},
        {"Tanh", &Importer::activation},
        {"Transpose", &Importer::transpose},
        {"Unsqueeze", &Importer::unsqueeze},
    };
    const auto found = kHandlers.find(op);
    return found == kHandlers.end() ? &Importer::softmax_inside : found->second;
  }

  void import(const Step& step) { (this->*handler_of(step.node->op_type()))(step); }

  // ---- layers

  void emit(const LayerSpec& layer, const Shape& input, const std::string& where) {
    if (spec_.layer_count == kMaxLayers) {
      throw ExchangeError(Status::kTooLarge,
                          where + ": more than " + std::to_string(kMaxLayers) + " layers");
    }
    const Result<Shape> shape = output_shape(layer, input);
    if (!shape.ok()) {
      throw ExchangeError(shape.status(), where + ": as " + name_of(layer.kind) + ": " +
                                              explain(layer, input, shape.status()));
    }
    spec_.layers[spec_.layer_count++] = layer;
    output_ = *shape;
    takes_bias_ = false;
  }

  void emit_with_parameters(const LayerSpec& layer, RealLayer parameters) {
    emit(layer, layout_.shape(), parameters.where);
    parameters_.push_back(std::move(parameters));
    takes_bias_ = true;
  }

  void bind_image(const Step& step, std::size_t channel_axis) {
    layout_.bind_image(channel_axis, step.where);
  }

  RealTensor reals(const Step& step, std::size_t input, const char* what) const {
    const onnx::TensorProto* tensor = chain_.constant(step, input);
    if (tensor == nullptr) refuse(step.where, std::string("has no constant ") + what);
    return read_reals(*tensor, step.where);
  }

  /// Biases that are there, spread over the channels, else zeros.
  std::vector<double> biases(const Step& step, std::size_t input, std::size_t channels) const {
    const onnx::TensorProto* tensor = chain_.constant(step, input);
    if (tensor == nullptr) return std::vector<double>(channels);
    std::vector<double> values = read_reals(*tensor, step.where).values;
    if (values.size() == 1) values.resize(channels, values[0]);
    if (values.size() != channels) {
      refuse(step.where, std::to_string(values.size()) + " biases for " + std::to_string(channels) +
                             " outputs");
    }
    return values;
  }

  static void require_data_first(const Step& step) {
    if (step.data_input != 0) refuse(step.where, "expected its constants after the value");
  }

  void conv(const Step& step) {
    require_data_first(step);
    bind_image(step, 1);
    layout_.require_channels_first(step.where);
    const RealTensor weights = reals(step, 1, "weights");
    if (weights.extents.size() != layout_.rank() || weights.values.empty()) {
      refuse(step.where, "weights of rank " + std::to_string(weights.extents.size()) +
                             ": expected " + std::to_string(layout_.rank()));
    }
    const std::vector<std::int64_t> kernel(weights.extents.begin() + 2, weights.extents.end());
    const std::vector<std::int64_t> said = integers_attribute(step, "kernel_shape");
    if (!said.empty() && said != kernel) refuse(step.where, "kernel_shape is not the weights'");
    LayerSpec layer{};
    layer.window = window_of(step, kernel, layout_.shape());
    layer.outputs = width_of(weights.extents[0], step.where);
    const bool depthwise = is_depthwise(step, weights.extents);
    layer.kind = depthwise ? LayerKind::kDepthwiseConv : LayerKind::kConv;
    RealLayer parameters{step.where, {}, biases(step, 2, layer.outputs)};
    parameters.weights =
        depthwise ? channels_last(weights.values, 1, layer.outputs)
                  : channels_last(weights.values, layer.outputs, layout_.shape().channels);
    emit_with_parameters(layer, std::move(parameters));
    layout_.set_image(output_);
  }

  bool is_depthwise(const Step& step, const std::vector<std::int64_t>& extents) const {
    const std::int64_t groups = integer_attribute(step, "group", 1);
    const std::int64_t channels = layout_.shape().channels;
    const bool depthwise = groups != 1 && groups == channels && extents[0] == channels;
    if (groups != 1 && !depthwise) {
      refuse(step.where, "group is " + std::to_string(groups) + " for " + std::to_string(channels) +
                             " channels in and " + std::to_string(extents[0]) +
                             " out: expected 1, or as many as channels in and out");
    }
    if (extents[1] * groups != channels) {
      refuse(step.where, "weights for " + std::to_string(extents[1]) +
                             " channels a group on an input of " + std::to_string(channels));
    }
    return depthwise;
  }

  /// [outer][channels][taps] → [outer][taps][channels].
  static std::vector<double> channels_last(const std::vector<double>& values, std::size_t outer,
                                           std::size_t channels) {
    const std::size_t taps = values.size() / (outer * channels);
    std::vector<double> result(values.size());
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t t = 0; t < taps; ++t) {
          result[(o * taps + t) * channels + c] = values[(o * channels + c) * taps + t];
        }
      }
    }
    return result;
  }

  void gemm(const Step& step) {
    if (real_attribute(step, "alpha", 1) != 1 || real_attribute(step, "beta", 1) != 1 ||
        integer_attribute(step, "transA", 0) != 0) {
      refuse(step.where, "expected alpha and beta 1, and transA 0");
    }
    dense(step, integer_attribute(step, "transB", 0) != 0);
  }

  void matmul(const Step& step) { dense(step, false); }

  void dense(const Step& step, bool outputs_first) {
    require_data_first(step);
    layout_.bind_vector();
    layout_.require_vector(step.where);
    const RealTensor weights = reals(step, 1, "weights");
    if (weights.extents.size() != 2 || weights.values.empty()) {
      refuse(step.where,
             "weights of rank " + std::to_string(weights.extents.size()) + ": expected 2");
    }
    const auto inputs = static_cast<std::size_t>(weights.extents[outputs_first ? 1 : 0]);
    LayerSpec layer{};
    layer.kind = LayerKind::kDense;
    layer.outputs = width_of(weights.extents[outputs_first ? 0 : 1], step.where);
    if (inputs != layout_.extent(1)) {
      refuse(step.where, "weights for " + std::to_string(inputs) + " inputs on a value of " +
                             std::to_string(layout_.extent(1)));
    }
    RealLayer parameters{step.where, std::vector<double>(weights.values.size()),
                         biases(step, 2, layer.outputs)};
    const std::vector<std::uint32_t> order = layout_.our_order();
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      for (std::size_t i = 0; i < inputs; ++i) {
        parameters.weights[o * inputs + order[i]] =
            weights.values[outputs_first ? o * inputs + i : i * layer.outputs + o];
      }
    }
    emit_with_parameters(layer, std::move(parameters));
    layout_.set_vector(layer.outputs);
  }

  void add_bias(const Step& step) {
    const RealTensor bias = reals(step, 1 - std::min<std::size_t>(step.data_input, 1), "bias");
    if (!takes_bias_) refuse(step.where, "expected directly after a Conv, Gemm or MatMul");
    std::vector<double>& sums = parameters_.back().biases;
    const bool is_scalar = bias.values.size() == 1;
    if (!is_scalar && (bias.values.size() != sums.size() || !is_along_channels(bias.extents))) {
      refuse(step.where,
             "adds " + std::to_string(bias.values.size()) + " numbers: expected one a channel");
    }
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += bias.values[is_scalar ? 0 : i];
  }

  /// Whether a constant, its axes counted from the last, differs along the channels only.
  [[nodiscard]] bool is_along_channels(const std::vector<std::int64_t>& extents) const {
    if (extents.size() > layout_.rank()) return false;
    const std::size_t missing = layout_.rank() - extents.size();
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (extents[i] != 1 && !layout_.is_channel_axis(i + missing)) return false;
    }
    return true;
  }

  void fold_normalization(const Step& step) {
    require_data_first(step);
    if (!takes_bias_ || !layout_.is_channel_axis(1)) {
      refuse(step.where, "expected directly after a Conv, Gemm or MatMul, into which it is folded");
    }
    if (integer_attribute(step, "training_mode", 0) != 0) {
      refuse(step.where, "training_mode is on: export the model for inference");
    }
    RealLayer& layer = parameters_.back();
    const std::size_t channels = layer.biases.size();
    std::vector<std::vector<double>> constants;
    for (const char* what : {"scale", "bias", "mean", "variance"}) {
      constants.push_back(reals(step, constants.size() + 1, what).values);
      if (constants.back().size() != channels) {
        refuse(step.where, std::to_string(constants.back().size()) + " numbers as " + what +
                               ": expected " + std::to_string(channels));
      }
    }
    fold(step, constants, layer);
  }

  void fold(const Step& step, const std::vector<std::vector<double>>& constants,
            RealLayer& layer) const {
    const std::size_t channels = layer.biases.size();
    const double epsilon = real_attribute(step, "epsilon", 1e-5);
    const bool channels_last =
        spec_.layers[spec_.layer_count - 1U].kind == LayerKind::kDepthwiseConv;
    const std::size_t fan_in = layer.weights.size() / channels;
    for (std::size_t c = 0; c < channels; ++c) {
      const double variance = constants[3][c] + epsilon;
      if (!(variance > 0)) refuse(step.where, "variance " + std::to_string(c) + " is not above 0");
      const double factor = constants[0][c] / std::sqrt(variance);
      for (std::size_t i = 0; i < fan_in; ++i) {
        layer.weights[channels_last ? i * channels + c : c * fan_in + i] *= factor;
      }
      layer.biases[c] = (layer.biases[c] - constants[2][c]) * factor + constants[1][c];
    }
  }

  void pool(const Step& step) {
    bind_image(step, 1);
    layout_.require_channels_first(step.where);
    const std::vector<std::int64_t> kernel = integers_attribute(step, "kernel_shape");
    if (kernel.size() + 2 != layout_.rank()) {
      refuse(step.where, "kernel_shape has " + std::to_string(kernel.size()) +
                             " extents: expected " + std::to_string(layout_.rank() - 2));
    }
    LayerSpec layer{};
    layer.kind = step.node->op_type() == "MaxPool" ? LayerKind::kMaxPool : LayerKind::kAveragePool;
    layer.outputs = layout_.shape().channels;
    layer.window = window_of(step, kernel, layout_.shape());
    emit(layer, layout_.shape(), step.where);
    layout_.set_image(output_);
  }

  void global_average(const Step& step) {
    bind_image(step, 1);
    layout_.require_channels_first(step.where);
    emit({LayerKind::kGlobalAveragePool, layout_.shape().channels}, layout_.shape(), step.where);
    layout_.set_mean(1, true);
  }

  /// Over all axes but the channels'.
  void mean(const Step& step) {
    std::vector<std::int64_t> axes = axes_of(chain_, step);
    const auto rank = static_cast<std::int64_t>(layout_.rank());
    for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
    std::sort(axes.begin(), axes.end());
    axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
    std::size_t channel_axis = 1;
    while (std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(channel_axis))) {
      ++channel_axis;
    }
    const bool leaves_one = axes.front() >= 1 && axes.back() < rank &&
                            axes.size() + 2 == layout_.rank() && channel_axis < layout_.rank();
    if (leaves_one) bind_image(step, channel_axis);
    if (!leaves_one || !layout_.is_channel_axis(channel_axis)) {
      refuse(step.where, "expected the mean over height and width, or over the width of a series");
    }
    emit({LayerKind::kGlobalAveragePool, layout_.shape().channels}, layout_.shape(), step.where);
    layout_.set_mean(channel_axis, integer_attribute(step, "keepdims", 1) != 0);
  }

  // ---- activations

  void emit_activation(const Step& step, LayerKind kind, std::uint16_t slope = 0) {
    if (!layout_.is_bound()) refuse(step.where, "is applied to the sample itself");
    LayerSpec layer{kind, layout_.shape().channels};
    layer.negative_slope_q15 = slope;
    emit(layer, layout_.shape(), step.where);
  }

  void activation(const Step& step) {
    const std::string& op = step.node->op_type();
    emit_activation(step, op == "Relu"      ? LayerKind::kRelu
                          : op == "Sigmoid" ? LayerKind::kSigmoid
                                            : LayerKind::kTanh);
  }

  void leaky_relu(const Step& step) {
    const double slope = std::nearbyint(real_attribute(step, "alpha", 0.01) * 32768);
    if (!(slope >= 1 && slope <= INT16_MAX)) {
      refuse(step.where, "alpha is outside of 2^-15 to 1 - 2^-15");
    }
    emit_activation(step, LayerKind::kLeakyRelu, static_cast<std::uint16_t>(slope));
  }

  // ---- what moves values only

  void skip(const Step&) {}

  void check_dropout(const Step& step) {
    const onnx::TensorProto* mode = chain_.constant(step, 2);
    if (mode == nullptr) return;
    const auto is_set = [](auto value) { return value != 0; };
    if (std::any_of(mode->raw_data().begin(), mode->raw_data().end(), is_set) ||
        std::any_of(mode->int32_data().begin(), mode->int32_data().end(), is_set)) {
      refuse(step.where, "training_mode is on: export the model for inference");
    }
  }

  /// A kFlatten if `move` made a plain vector of something else.
  template <typename Move>
  void move_axes(const Step& step, const Move& move) {
    const bool was_image = layout_.is_bound() && layout_.shape().positions() != 1;
    const Shape before = layout_.shape();
    move();
    if (!was_image || layout_.shape().positions() != 1) return;
    emit({LayerKind::kFlatten, layout_.shape().channels}, before, step.where);
  }

  void flatten(const Step& step) {
    const std::int64_t axis = integer_attribute(step, "axis", 1);
    if (axis != 1 && axis + static_cast<std::int64_t>(layout_.rank()) != 1) {
      refuse(step.where, "axis is " + std::to_string(axis) + ": expected 1");
    }
    move_axes(step, [this] { layout_.flatten(); });
  }

  void reshape(const Step& step) {
    require_data_first(step);
    const onnx::TensorProto* shape = chain_.constant(step, 1);
    if (shape == nullptr || integer_attribute(step, "allowzero", 0) != 0) {
      refuse(step.where, "expected its new shape as a constant, and allowzero 0");
    }
    const std::vector<std::int64_t> extents = read_integers(*shape, step.where);
    move_axes(step, [&] { layout_.reshape(extents, step.where); });
  }

  void transpose(const Step& step) {
    layout_.transpose(integers_attribute(step, "perm"), step.where);
  }
  void squeeze(const Step& step) { layout_.squeeze(axes_of(chain_, step), step.where); }
  void unsqueeze(const Step& step) { layout_.unsqueeze(axes_of(chain_, step), step.where); }

  // ---- the end

  void softmax_inside(const Step& step) {
    refuse(step.where, "expected at the end of the model, where it is part of the loss");
  }

  void finish(const Step& last) {
    const std::string& op = last.node->op_type();
    const End end = op == "Softmax" || op == "LogSoftmax" ? End::kSoftmax
                    : op == "Sigmoid"                     ? End::kSigmoid
                                                          : End::kPlain;
    if (end == End::kSoftmax) check_softmax(last);
    if (end == End::kPlain) import(last);
    if (!layout_.is_bound()) refuse(last.where, "the model computes nothing");
    spec_.loss = options_.loss ? *options_.loss : suggested_loss(end);
    if (end == End::kSoftmax && spec_.loss != Loss::kSoftmaxCrossEntropy) {
      refuse(last.where, std::string("does not go with ") + name_of(spec_.loss) +
                             ": expected softmax_cross_entropy, or a model without it");
    }
    if (end == End::kSigmoid && spec_.loss != Loss::kBinaryCrossEntropy) import(last);
    check_order_of_outputs(last);
  }

  void check_softmax(const Step& step) const {
    const std::int64_t axis = integer_attribute(step, "axis", chain_.opset() >= 13 ? -1 : 1);
    if (layout_.rank() != 2 || (axis != 1 && axis != -1)) {
      refuse(step.where, "expected over the one axis of a value [batch, classes]");
    }
  }

  [[nodiscard]] Loss suggested_loss(End end) const {
    if (end == End::kSoftmax) return Loss::kSoftmaxCrossEntropy;
    if (layout_.shape().size() == layout_.input_shape().size()) return Loss::kMeanSquaredError;
    return end == End::kSigmoid ? Loss::kBinaryCrossEntropy : Loss::kSoftmaxCrossEntropy;
  }

  /// Classes are counted in ONNX's order, an autoencoder's outputs compared with its inputs in
  /// ours: neither may change by the import.
  void check_order_of_outputs(const Step& last) {
    std::vector<std::uint32_t> expected(layout_.shape().size());
    std::iota(expected.begin(), expected.end(), 0U);
    const bool is_autoencoder = spec_.loss == Loss::kMeanSquaredError;
    const std::vector<std::uint32_t> order = layout_.our_order();
    if (is_autoencoder) {
      const std::vector<std::uint32_t> input = layout_.our_order_of_input();
      if (order.size() != input.size()) return;  // require_plan() says so.
      if (order == expected && ends_in_dense()) return reorder_outputs(input);
      expected = input;
    }
    if (order == expected) return;
    refuse(last.where, is_autoencoder ? "gives its values in another order than the input has"
                                      : "expected a plain vector as the model's output");
  }

  [[nodiscard]] bool ends_in_dense() const {
    std::size_t i = spec_.layer_count;
    while (i > 1 && is_activation(spec_.layers[i - 1].kind)) --i;
    return spec_.layers[i - 1].kind == LayerKind::kDense;
  }

  /// Output i of the last layer, which is dense, becomes output order[i].
  void reorder_outputs(const std::vector<std::uint32_t>& order) {
    RealLayer& layer = parameters_.back();
    const RealLayer before = layer;
    const std::size_t inputs = layer.weights.size() / layer.biases.size();
    for (std::size_t i = 0; i < order.size(); ++i) {
      layer.biases[order[i]] = before.biases[i];
      for (std::size_t k = 0; k < inputs; ++k) {
        layer.weights[order[i] * inputs + k] = before.weights[i * inputs + k];
      }
    }
  }

  Model build() {
    if (options_.input_exponent < INT8_MIN || options_.input_exponent > INT8_MAX ||
        options_.frozen_layers > UINT8_MAX) {
      throw ExchangeError(Status::kInvalidArgument,
                          "the input exponent or the number of frozen layers is out of its range");
    }
    const Shape& input = layout_.input_shape();
    spec_.inputs = static_cast<std::uint16_t>(input.size());
    spec_.input_height = input.height;
    spec_.input_width = input.width;
    spec_.input_exponent = static_cast<std::int8_t>(options_.input_exponent);
    spec_.frozen_layers = static_cast<std::uint8_t>(options_.frozen_layers);
    (void)require_plan(spec_);
    Model model{spec_, {}};
    for (const RealLayer& layer : parameters_) append_quantized(layer, model.weights);
    return model;
  }

  const OnnxChain& chain_;
  const ImportOptions& options_;
  ValueLayout layout_;
  ModelSpec spec_;
  Shape output_{};           // of the layer that was emitted last
  bool takes_bias_ = false;  // the last layer has parameters, and nothing was computed since
  std::vector<RealLayer> parameters_;
};

}  // namespace

Model import_onnx(Bytes file, const ImportOptions& options) {
  const OnnxChain chain(file);
  return Importer(chain, options).run();
}

}  // namespace skep::exchange
