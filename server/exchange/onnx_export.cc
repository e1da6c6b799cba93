#include "skep/exchange/onnx_export.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <array>
#include <bit>
#include <cmath>

#include "skep/exchange/describe.h"
#include "skep/learn/layers.h"

namespace skep::exchange {
namespace {

static_assert(std::endian::native == std::endian::little,
              "raw_data of ONNX is little endian: swap the elements here and in onnx_chain.cc");

/// The canonical weights blob is little endian (docs/reference/weights.md).
std::uint16_t read_u16(Bytes blob, std::size_t offset) {
  return static_cast<std::uint16_t>(blob[offset] | blob[offset + 1] << 8U);
}

std::uint32_t read_u32(Bytes blob, std::size_t offset) {
  return read_u16(blob, offset) | static_cast<std::uint32_t>(read_u16(blob, offset + 2)) << 16U;
}

/// One layer's parameters as real numbers, in the blob's order.
struct Parameters {
  std::vector<float> weights;
  std::vector<float> biases;
};

Parameters read_parameters(const learn::FusedLayer& layer, Bytes blob) {
  const int exponent = static_cast<std::int16_t>(read_u16(blob, layer.exponent_offset));
  Parameters result;
  for (std::uint32_t i = 0; i < layer.weight_count; ++i) {
    const auto value =
        static_cast<std::int16_t>(read_u16(blob, layer.weights_offset + std::size_t{2} * i));
    result.weights.push_back(std::ldexp(static_cast<float>(value), exponent));
  }
  for (std::uint32_t i = 0; i < layer.bias_count; ++i) {
    const auto value =
        static_cast<std::int32_t>(read_u32(blob, layer.biases_offset + std::size_t{4} * i));
    result.biases.push_back(
        std::ldexp(static_cast<float>(value), exponent - learn::kBiasFractionBits));
  }
  return result;
}

/// For each value of an image in ONNX's order, [channels][height][width], its index in ours.
std::vector<std::size_t> channels_first(const Shape& shape) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < shape.channels; ++c) {
    for (std::size_t position = 0; position < shape.positions(); ++position) {
      order.push_back(position * shape.channels + c);
    }
  }
  return order;
}

/// [outer][taps][channels] → [outer][channels][taps].
std::vector<float> channels_before_taps(const std::vector<float>& values, std::size_t outer,
                                        std::size_t channels) {
  const std::size_t taps = values.size() / (outer * channels);
  std::vector<float> result(values.size());
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t t = 0; t < taps; ++t) {
      for (std::size_t c = 0; c < channels; ++c) {
        result[(o * channels + c) * taps + t] = values[(o * taps + t) * channels + c];
      }
    }
  }
  return result;
}

template <typename T>
void add_initializer(onnx::GraphProto& graph, const std::string& name,
                     onnx::TensorProto::DataType type, const std::vector<std::int64_t>& extents,
                     const std::vector<T>& values) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t extent : extents) tensor.add_dims(extent);
  tensor.set_raw_data(values.data(), values.size() * sizeof(T));
}

void set_integer(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void set_integers(onnx::NodeProto& node, const std::string& name,
                  std::initializer_list<std::int64_t> values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

void describe_value(onnx::ValueInfoProto& value, const std::string& name, const Shape& shape,
                    bool is_image) {
  value.set_name(name);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape()->add_dim()->set_dim_param("N");
  const auto add = [&](std::uint64_t extent) {
    tensor.mutable_shape()->add_dim()->set_dim_value(static_cast<std::int64_t>(extent));
  };
  if (!is_image) return add(shape.size());
  add(shape.channels);
  add(shape.height);
  add(shape.width);
}

/// Adds node after node; knows how the value between them lies.
class GraphBuilder {
 public:
  GraphBuilder(const ModelSpec& spec, Bytes weights, onnx::GraphProto& graph)
      : spec_(spec), weights_(weights), graph_(graph), shape_(spec.input_shape()) {
    is_image_ = shape_.positions() != 1;
    laid_out_as_ = shape_;
    describe_value(*graph_.add_input(), value_, shape_, is_image_);
  }

  void build() {
    const learn::ParameterLayers layers(spec_);
    auto parameters = layers.begin();
    for (std::uint32_t i = 0; i < spec_.layer_count; ++i) {
      index_ = i;
      if (has_parameters(spec_.layers[i].kind)) {
        add_parameter_layer(*parameters);
        ++parameters;
      } else {
        add_plain_layer(spec_.layers[i]);
      }
      shape_ = *output_shape(spec_.layers[i], shape_);
      // A Flatten waits until something needs a plain vector: till then nothing has moved.
      if (spec_.layers[i].kind != LayerKind::kFlatten) {
        if (!is_activation(spec_.layers[i].kind)) laid_out_as_ = shape_;
      }
    }
    add_outputs();
  }

 private:
  onnx::NodeProto& add_node(const std::string& op, const std::string& name,
                            const std::vector<std::string>& constants = {}) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(op);
    node.set_name(name);
    node.add_input(value_);
    for (const std::string& constant : constants) node.add_input(constant);
    return node;
  }

  void set_output(onnx::NodeProto& node, const std::string& value) {
    node.add_output(value);
    value_ = value;
    last_ = &node;
  }

  [[nodiscard]] std::string suffix() const { return std::to_string(index_); }

  void require_vector() {
    if (!is_image_) return;
    set_output(add_node("Flatten", "flatten" + suffix()), "flat" + suffix());
    is_image_ = false;
  }

  /// A plain vector in our order, so that channels mean what they mean to us.
  void require_vector_in_our_order() {
    if (is_image_ && laid_out_as_.positions() != 1 && laid_out_as_.channels != 1) {
      onnx::NodeProto& node = add_node("Transpose", "transpose" + suffix());
      set_integers(node, "perm", {0, 2, 3, 1});
      set_output(node, "transposed" + suffix());
    }
    require_vector();
  }

  void require_image() {
    if (shape_ != laid_out_as_) require_vector_in_our_order();
    if (is_image_) return;
    const std::string extents = "shape" + suffix();
    add_initializer<std::int64_t>(graph_, extents, onnx::TensorProto::INT64, {4},
                                  {-1, shape_.channels, 1, 1});
    set_output(add_node("Reshape", "reshape" + suffix(), {extents}), "image" + suffix());
    is_image_ = true;
  }

  void add_parameter_layer(const learn::FusedLayer& layer) {
    const bool is_dense = layer.kind == LayerKind::kDense;
    if (is_dense) {
      require_vector();
    } else {
      require_image();
    }
    Parameters parameters = read_parameters(layer, weights_);
    if (is_dense) reorder_dense(layer, parameters);
    const bool is_depthwise = layer.kind == LayerKind::kDepthwiseConv;
    const std::uint32_t groups = is_depthwise ? layer.output.channels : 1;
    if (!is_dense) {
      parameters.weights = is_depthwise
                               ? channels_before_taps(parameters.weights, 1, layer.output.channels)
                               : channels_before_taps(parameters.weights, layer.output.channels,
                                                      layer.input.channels);
    }
    const std::string w = "W" + suffix();
    const std::string b = "b" + suffix();
    std::vector<std::int64_t> extents{layer.output.channels, layer.input.channels};
    if (!is_dense) {
      extents = {layer.output.channels, static_cast<std::int64_t>(layer.input.channels / groups),
                 layer.window.height, layer.window.width};
    }
    add_initializer(graph_, w, onnx::TensorProto::FLOAT, extents, parameters.weights);
    add_initializer(graph_, b, onnx::TensorProto::FLOAT, {layer.bias_count}, parameters.biases);
    onnx::NodeProto& node =
        add_node(is_dense ? "Gemm" : "Conv", name_of(layer.kind) + suffix(), {w, b});
    if (is_dense) {
      set_integer(node, "transB", 1);  // y = x · Wᵀ + b: our W is [outputs][inputs].
    } else {
      set_integer(node, "group", groups);
      set_window(node, layer.window);
    }
    set_output(node, "value" + suffix());
  }

  /// Inputs from an image come in ONNX's order; so do the outputs of an autoencoder that has an
  /// image to compare them with.
  void reorder_dense(const learn::FusedLayer& layer, Parameters& parameters) const {
    const std::size_t inputs = layer.input.channels;
    if (laid_out_as_.positions() != 1) {
      const std::vector<std::size_t> order = channels_first(laid_out_as_);
      const std::vector<float> ours = parameters.weights;
      for (std::size_t i = 0; i < ours.size(); ++i) {
        parameters.weights[i] = ours[i / inputs * inputs + order[i % inputs]];
      }
    }
    if (spec_.loss != Loss::kMeanSquaredError || !is_last_computation()) return;
    const std::vector<std::size_t> order = channels_first(spec_.input_shape());
    const Parameters ours = parameters;
    for (std::size_t o = 0; o < order.size(); ++o) {
      parameters.biases[o] = ours.biases[order[o]];
      for (std::size_t i = 0; i < inputs; ++i) {
        parameters.weights[o * inputs + i] = ours.weights[order[o] * inputs + i];
      }
    }
  }

  [[nodiscard]] bool is_last_computation() const {
    for (std::uint32_t i = index_ + 1; i < spec_.layer_count; ++i) {
      if (!is_activation(spec_.layers[i].kind)) return false;
    }
    return true;
  }

  static void set_window(onnx::NodeProto& node, const Window& window) {
    set_integers(node, "kernel_shape", {window.height, window.width});
    set_integers(node, "strides", {window.stride_height, window.stride_width});
    set_integers(node, "pads",
                 {window.pad_top, window.pad_left, window.pad_bottom, window.pad_right});
  }

  void add_plain_layer(const LayerSpec& layer) {
    static const std::array<const char*, 12> kOps = {
        nullptr, nullptr,     "Relu",        nullptr,
        nullptr, "MaxPool",   "AveragePool", "GlobalAveragePool",
        nullptr, "LeakyRelu", "Sigmoid",     "Tanh"};
    if (layer.kind == LayerKind::kFlatten) return;
    if (!is_activation(layer.kind)) require_image();
    onnx::NodeProto& node =
        add_node(kOps.at(static_cast<std::size_t>(layer.kind)), name_of(layer.kind) + suffix());
    if (has_window(layer.kind)) set_window(node, layer.window);
    if (layer.kind == LayerKind::kLeakyRelu) {
      onnx::AttributeProto& alpha = *node.add_attribute();
      alpha.set_name("alpha");
      alpha.set_type(onnx::AttributeProto::FLOAT);
      alpha.set_f(static_cast<float>(layer.negative_slope_q15) / 32768);
    }
    set_output(node, "value" + suffix());
  }

  void add_outputs() {
    index_ = spec_.layer_count;
    const bool is_autoencoder = spec_.loss == Loss::kMeanSquaredError;
    if (!is_autoencoder) require_vector_in_our_order();
    const std::string name = is_autoencoder ? "reconstruction" : "logits";
    last_->set_output(0, name);
    value_ = name;
    const Shape shape = is_image_ ? laid_out_as_ : shape_;
    describe_value(*graph_.add_output(), name, shape, is_image_);
    if (is_autoencoder) return;
    describe_value(*graph_.add_output(), "probabilities", shape, false);
    const bool is_softmax = spec_.loss == Loss::kSoftmaxCrossEntropy;
    onnx::NodeProto& node =
        is_softmax ? add_node("Softmax", "softmax") : add_node("Sigmoid", "sigmoid");
    if (is_softmax) set_integer(node, "axis", -1);
    set_output(node, "probabilities");
  }

  const ModelSpec& spec_;
  const Bytes weights_;
  onnx::GraphProto& graph_;
  std::string value_ = "features";
  onnx::NodeProto* last_ = nullptr;
  std::uint32_t index_ = 0;
  Shape shape_;            // of the value to us
  Shape laid_out_as_{};    // of the value before a Flatten that was not written down
  bool is_image_ = false;  // [N, channels, height, width], otherwise [N, values]
};

}  // namespace

std::vector<std::uint8_t> export_onnx(const ModelSpec& spec, Bytes weights,
                                      const OnnxMetadata& metadata) {
  onnx::ModelProto model;
  model.set_ir_version(kOnnxIrVersion);
  model.set_producer_name("skep");
  model.set_domain("skep");
  model.set_model_version(metadata.model_version);
  model.add_opset_import()->set_version(kOnnxOpset);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(metadata.model_name);
  GraphBuilder(spec, weights, graph).build();
  for (const auto& [key, value] : metadata.properties) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }

  std::vector<std::uint8_t> bytes(model.ByteSizeLong());
  google::protobuf::io::ArrayOutputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  if (!model.SerializeToCodedStream(&stream) || stream.HadError()) {
    throw ExchangeError(Status::kInternal, "protobuf cannot serialise the ONNX model");
  }
  return bytes;
}

}  // namespace skep::exchange
