#include "skep/exchange/onnx_import.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "affine.h"
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
      : chain_(chain), options_(options), shapes_(chain.shapes()), layout_(chain.input_extents()) {}

  Model run() {
    learn_extents(chain_.input_name());
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
        {"Add", &Importer::add},
        {"AveragePool", &Importer::pool},
        {"BatchNormalization", &Importer::normalize},
        {"Conv", &Importer::conv},
        {"Div", &Importer::divide},
        {"Dropout", &Importer::check_dropout},
        {"Flatten", &Importer::flatten},
        {"Gemm", &Importer::gemm},
        {"GlobalAveragePool", &Importer::global_average},
        {"GlobalMaxPool", &Importer::global_maximum},
        {"Identity", &Importer::skip},
        {"LeakyRelu", &Importer::leaky_relu},
        {"MatMul", &Importer::matmul},
        {"MaxPool", &Importer::pool},
        {"Mul", &Importer::multiply},
        {"Pad", &Importer::pad},
        {"ReduceMean", &Importer::mean},
        {"Relu", &Importer::activation},
        {"Reshape", &Importer::reshape},
        {"Sigmoid", &Importer::activation},
        {"Squeeze", &Importer::squeeze},
        {"Sub", &Importer::subtract},
        {"Tanh", &Importer::activation},
        {"Transpose", &Importer::transpose},
        {"Unsqueeze", &Importer::unsqueeze},
    };
    const auto found = kHandlers.find(op);
    return found == kHandlers.end() ? &Importer::softmax_inside : found->second;
  }

  void import(const Step& step) {
    const std::string& op = step.node->op_type();
    static constexpr std::array<std::string_view, 5> kMayBePadded = {"Conv", "Identity", "Squeeze",
                                                                     "Transpose", "Unsqueeze"};
    if (layout_.is_padded() &&
        std::find(kMayBePadded.begin(), kMayBePadded.end(), op) == kMayBePadded.end()) {
      refuse(step.where, "follows a Pad: expected a Conv, which takes the zeros as its padding");
    }
    (this->*handler_of(op))(step);
    learn_extents(step.node->output(0));
  }

  /// Of a value that the file may ask for the shape of.
  void learn_extents(const std::string& value) {
    if (layout_.is_padded()) return;
    std::vector<ShapeNumber> extents(1);
    for (std::size_t axis = 1; axis < layout_.rank(); ++axis) {
      extents.emplace_back(static_cast<std::int64_t>(layout_.extent(axis)));
    }
    shapes_.learn(value, std::move(extents));
  }

  /// Input number `index`, constant or computed from extents; none if it is not there.
  [[nodiscard]] std::optional<std::vector<ShapeNumber>> integers(const Step& step,
                                                                 std::size_t index) {
    if (const onnx::TensorProto* tensor = chain_.constant(step, index); tensor != nullptr) {
      const std::vector<std::int64_t> values = read_integers(*tensor, step.where);
      return std::vector<ShapeNumber>(values.begin(), values.end());
    }
    if (index >= static_cast<std::size_t>(step.node->input_size())) return std::nullopt;
    const std::string& name = step.node->input(static_cast<int>(index));
    if (!shapes_.makes(name)) return std::nullopt;
    return shapes_.evaluate(name, chain_.constants());
  }

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
    is_foldable_ = false;
  }

  void emit_with_parameters(const LayerSpec& layer, RealLayer parameters) {
    if (!waiting_.changes_nothing()) fold_before(waiting_, layer.kind, parameters);
    waiting_ = {};
    emit(layer, layout_.shape(), parameters.where);
    parameters_.push_back(std::move(parameters));
    is_foldable_ = true;
  }

  // ---- factors and summands a channel

  void apply(const Step& step, const Affine& affine) {
    if (is_foldable_) {
      fold_behind(affine, spec_.layers[spec_.layer_count - 1U].kind, parameters_.back());
      return;
    }
    waiting_ = composed(waiting_, affine);
    where_waiting_ = step.where;
  }

  /// Makes a layer of what waits for one to take it: a convolution of 1 by 1, channel by channel.
  void emit_waiting() {
    if (waiting_.changes_nothing()) return;
    const Affine affine = std::exchange(waiting_, {});
    if (!layout_.is_bound()) refuse(where_waiting_, "is applied to the sample itself");
    LayerSpec layer{};
    layer.outputs = layout_.shape().channels;
    // One channel's depthwise convolution is a convolution.
    layer.kind = layer.outputs == 1 ? LayerKind::kConv : LayerKind::kDepthwiseConv;
    layer.window = {.height = 1, .width = 1, .stride_height = 1, .stride_width = 1};
    RealLayer parameters{where_waiting_, {}, {}};
    for (std::size_t channel = 0; channel < layer.outputs; ++channel) {
      parameters.weights.push_back(affine.factor(channel));
      parameters.biases.push_back(affine.summand(channel));
    }
    emit_with_parameters(layer, std::move(parameters));
  }

  /// Numbers that differ along the channels only, in our order; or one for all. `extents` are
  /// counted from the last axis, as ONNX does.
  std::vector<double> along_channels(const Step& step, const std::vector<double>& values,
                                     const std::vector<std::int64_t>& extents) {
    if (values.size() == 1) return values;
    const std::size_t rank = layout_.rank();
    const auto is_one = [](std::int64_t extent) { return extent == 1; };
    const auto first = std::find_if_not(extents.begin(), extents.end(), is_one);
    const auto axis = static_cast<std::size_t>(first - extents.begin()) + rank - extents.size();
    const bool is_one_axis = extents.size() <= rank && first != extents.end() && axis != 0 &&
                             std::all_of(first + 1, extents.end(), is_one);
    if (is_one_axis && rank == 2) layout_.bind_vector();
    if (is_one_axis && rank > 2) bind_image(step, axis);
    if (!is_one_axis || layout_.extent(axis) != values.size() ||
        (rank > 2 && !layout_.is_channel_axis(axis))) {
      refuse(step.where,
             "has " + std::to_string(values.size()) + " constants: expected one, or one a channel");
    }
    if (rank > 2) return values;
    std::vector<double> ours(values.size());
    const std::vector<std::uint32_t> order = layout_.our_order();
    for (std::size_t i = 0; i < ours.size(); ++i) ours[order[i]] = values[i];
    return ours;
  }

  /// The constant that a step combines its value with.
  std::vector<double> other_operand(const Step& step) {
    const RealTensor constant =
        reals(step, step.data_input == 0 ? 1 : 0, "number to combine its value with");
    return along_channels(step, constant.values, constant.extents);
  }

  void add(const Step& step) {
    std::vector<double> summands = other_operand(step);
    apply(step, {std::vector<double>(summands.size(), 1), std::move(summands)});
  }

  void subtract(const Step& step) {
    std::vector<double> numbers = other_operand(step);
    const bool is_subtrahend = step.data_input == 0;
    for (double& number : numbers) number = is_subtrahend ? -number : number;
    apply(step, {std::vector<double>(numbers.size(), is_subtrahend ? 1 : -1), std::move(numbers)});
  }

  void multiply(const Step& step) {
    std::vector<double> factors = other_operand(step);
    const std::size_t count = factors.size();
    apply(step, {std::move(factors), std::vector<double>(count)});
  }

  void divide(const Step& step) {
    require_data_first(step);
    std::vector<double> factors = other_operand(step);
    const std::size_t count = factors.size();
    for (double& factor : factors) factor = 1 / factor;
    apply(step, {std::move(factors), std::vector<double>(count)});
  }

  void normalize(const Step& step) {
    require_data_first(step);
    if (integer_attribute(step, "training_mode", 0) != 0) {
      refuse(step.where, "training_mode is on: export the model for inference");
    }
    std::vector<std::vector<double>> constants;
    for (const char* what : {"scale", "bias", "mean", "variance"}) {
      const std::vector<double> values = reals(step, constants.size() + 1, what).values;
      if (values.size() != layout_.extent(1)) {
        refuse(step.where, std::to_string(values.size()) + " numbers as " + what + ": expected " +
                               std::to_string(layout_.extent(1)));
      }
      std::vector<std::int64_t> extents(layout_.rank(), 1);
      extents[1] = static_cast<std::int64_t>(values.size());
      constants.push_back(along_channels(step, values, extents));
    }
    const double epsilon = real_attribute(step, "epsilon", 1e-5);
    Affine affine{constants[0], constants[1]};
    for (std::size_t c = 0; c < affine.factors.size(); ++c) {
      const double variance = constants[3][c] + epsilon;
      if (!(variance > 0)) refuse(step.where, "variance " + std::to_string(c) + " is not above 0");
      affine.factors[c] /= std::sqrt(variance);
      affine.summands[c] -= constants[2][c] * affine.factors[c];
    }
    apply(step, affine);
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
    layer.window = window_of(step, kernel, layout_.shape(), take_padding(step));
    layer.outputs = width_of(weights.extents[0], step.where);
    const bool depthwise = is_depthwise(step, weights.extents);
    layer.kind = depthwise ? LayerKind::kDepthwiseConv : LayerKind::kConv;
    RealLayer parameters{step.where, {}, biases(step, 2, layer.outputs)};
    parameters.weights =
        depthwise ? channels_last(weights.values, 1, layer.outputs)
                  : channels_last(weights.values, layer.outputs, layout_.shape().channels);
    const Window& window = layer.window;
    const bool adds_zeros =
        (window.pad_top | window.pad_bottom | window.pad_left | window.pad_right) != 0;
    // The zeros are not among the values that are waiting to be scaled.
    if (adds_zeros) emit_waiting();
    emit_with_parameters(layer, std::move(parameters));
    layout_.set_image(output_);
  }

  /// What a Pad before put around the axes of the kernel.
  std::vector<ValueLayout::Padding> take_padding(const Step& step) {
    if (!layout_.is_padded()) return {};
    std::vector<ValueLayout::Padding> paddings = layout_.paddings();
    if (paddings[0].before != 0 || paddings[0].after != 0) {
      refuse(step.where, "follows a Pad of the channels: expected one of height and width");
    }
    layout_.clear_padding();
    paddings.erase(paddings.begin());
    return paddings;
  }

  void pad(const Step& step) {
    if (text_attribute(step, "mode", "constant") != "constant") {
      refuse(step.where, "mode is not constant: expected zeros");
    }
    const onnx::TensorProto* value = chain_.constant(step, 2);
    const std::vector<double> values = value != nullptr
                                           ? read_reals(*value, step.where).values
                                           : std::vector<double>{real_attribute(step, "value", 0)};
    if (values != std::vector<double>{0} || step.node->input_size() > 3) {
      refuse(step.where, "expected zeros, and pads for all axes");
    }
    std::vector<std::int64_t> pads = integers_attribute(step, "pads");
    if (const auto computed = integers(step, 1); computed) {
      pads.clear();
      for (const ShapeNumber& number : *computed) pads.push_back(number.value_or(-1));
    }
    layout_.pad(pads, step.where);
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
    if (layer.kind == LayerKind::kMaxPool) emit_waiting_that_turns_order();
    emit(layer, layout_.shape(), step.where);
    layout_.set_image(output_);
  }

  /// An average is scaled as its values are; a maximum only if their order stays.
  void emit_waiting_that_turns_order() {
    const auto turns_order = [](double factor) { return factor < 0; };
    if (std::any_of(waiting_.factors.begin(), waiting_.factors.end(), turns_order)) emit_waiting();
  }

  void global_maximum(const Step& step) {
    bind_image(step, 1);
    layout_.require_channels_first(step.where);
    emit_waiting_that_turns_order();
    const Shape& shape = layout_.shape();
    std::vector<std::int64_t> kernel{shape.height, shape.width};
    if (layout_.rank() == 3) kernel.erase(kernel.begin());
    LayerSpec layer{LayerKind::kMaxPool, shape.channels};
    layer.window = window_of(step, kernel, shape);
    emit(layer, shape, step.where);
    layout_.set_mean(1, true);
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
    emit_waiting();
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
    if (axis != 1 && axis != 1 - static_cast<std::int64_t>(layout_.rank())) {
      refuse(step.where, "axis is " + std::to_string(axis) + ": expected 1");
    }
    move_axes(step, [this] { layout_.flatten(); });
  }

  void reshape(const Step& step) {
    require_data_first(step);
    const std::optional<std::vector<ShapeNumber>> shape = integers(step, 1);
    if (!shape) refuse(step.where, "expected its new shape as a constant or computed");
    std::vector<std::int64_t> extents;
    for (const ShapeNumber& extent : *shape) {
      if (!extent && !extents.empty()) refuse(step.where, "moves the batch from the first axis");
      if (extent == 0 && integer_attribute(step, "allowzero", 0) != 0) {
        refuse(step.where, "makes a value of extent 0");
      }
      const bool is_batch = extents.empty() && (!extent || extent == chain_.batch());
      extents.push_back(is_batch ? 0 : *extent);  // 0 keeps what is there
    }
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
    if (layout_.is_padded()) refuse(last.where, "follows a Pad: expected a Conv");
    emit_waiting();
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
  ShapeArithmetic shapes_;
  ValueLayout layout_;
  ModelSpec spec_;
  Shape output_{};            // of the layer that was emitted last
  bool is_foldable_ = false;  // the last layer has parameters, and nothing was computed since
  Affine waiting_;            // what was computed since and is in no layer yet
  std::string where_waiting_;
  std::vector<RealLayer> parameters_;
};

}  // namespace

Model import_onnx(Bytes file, const ImportOptions& options) {
  const OnnxChain chain(file);
  return Importer(chain, options).run();
}

}  // namespace skep::exchange
