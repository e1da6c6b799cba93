#include "skep/release/onnx.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <cmath>
#include <string>

#include "skep/learn/layers.h"

namespace skep::release {
namespace {

static_assert(std::endian::native == std::endian::little,
              "raw_data of ONNX is little endian: swap the floats below");

/// The canonical weights blob is little endian (docs/reference/weights.md).
std::uint16_t read_u16(Bytes blob, std::size_t offset) {
  return static_cast<std::uint16_t>(blob[offset] | blob[offset + 1] << 8U);
}

std::uint32_t read_u32(Bytes blob, std::size_t offset) {
  return read_u16(blob, offset) | static_cast<std::uint32_t>(read_u16(blob, offset + 2)) << 16U;
}

void append_float(std::string& raw, float value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof value>>(value);
  raw.append(bytes.data(), bytes.size());
}

void add_initializer(onnx::GraphProto& graph, const std::string& name,
                     std::initializer_list<std::int64_t> shape, std::string raw) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
  tensor.set_raw_data(std::move(raw));
}

void add_layer_initializers(onnx::GraphProto& graph, const learn::LayerWeightsLayout& layer,
                            Bytes blob, const std::string& suffix) {
  const int exponent = static_cast<std::int16_t>(read_u16(blob, layer.exponent_offset));
  std::string weights;
  for (std::uint32_t i = 0; i < layer.weight_count; ++i) {
    const auto value =
        static_cast<std::int16_t>(read_u16(blob, layer.weights_offset + std::size_t{2} * i));
    append_float(weights, std::ldexp(static_cast<float>(value), exponent));
  }
  std::string biases;
  for (std::uint32_t i = 0; i < layer.bias_count; ++i) {
    const auto value =
        static_cast<std::int32_t>(read_u32(blob, layer.biases_offset + std::size_t{4} * i));
    append_float(biases,
                 std::ldexp(static_cast<float>(value), exponent - learn::kBiasFractionBits));
  }
  add_initializer(graph, "W" + suffix, {layer.outputs, layer.inputs}, std::move(weights));
  add_initializer(graph, "b" + suffix, {layer.outputs}, std::move(biases));
}

onnx::NodeProto& add_node(onnx::GraphProto& graph, const std::string& op, const std::string& name,
                          std::initializer_list<std::string> inputs, const std::string& output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(name);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

void set_integer(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void describe_value(onnx::ValueInfoProto& value, const std::string& name, std::int64_t width) {
  value.set_name(name);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape()->add_dim()->set_dim_param("N");
  tensor.mutable_shape()->add_dim()->set_dim_value(width);
}

void add_layers(onnx::GraphProto& graph, const OpenedPackage& package) {
  const ModelSpec& spec = package.spec;
  const learn::DenseLayers dense_layers(spec);
  auto dense = dense_layers.begin();
  std::string value = "features";
  for (std::size_t i = 0; i < spec.layer_count; ++i) {
    const std::string suffix = std::to_string(i);
    const bool is_last = i + 1U == spec.layer_count;
    const std::string output = is_last ? "logits" : "value" + suffix;
    switch (spec.layers[i].kind) {
      case LayerKind::kDense:
        add_layer_initializers(graph, *dense, package.weights, suffix);
        ++dense;
        // y = x · Wᵀ + b: our W is [outputs][inputs].
        set_integer(
            add_node(graph, "Gemm", "dense" + suffix, {value, "W" + suffix, "b" + suffix}, output),
            "transB", 1);
        break;
      case LayerKind::kRelu:
        add_node(graph, "Relu", "relu" + suffix, {value}, output);
        break;
    }
    value = output;
  }
  set_integer(add_node(graph, "Softmax", "softmax", {"logits"}, "probabilities"), "axis", -1);
}

void add_metadata(onnx::ModelProto& model, const OpenedPackage& package) {
  const auto add = [&](const std::string& key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  };
  const wire::ModelManifest& manifest = package.manifest;
  add("skep.federation", to_hex(manifest.federation));
  add("skep.model_name", manifest.model_name);
  add("skep.model_version", std::to_string(manifest.model_version));
  add("skep.weights_sha256", to_hex(manifest.weights_digest));
  add("skep.input_exponent", std::to_string(package.spec.input_exponent));
}

}  // namespace

std::vector<std::uint8_t> to_onnx(const OpenedPackage& package) {
  onnx::ModelProto model;
  model.set_ir_version(kOnnxIrVersion);
  model.set_producer_name("skep");
  model.set_domain("skep");
  model.set_model_version(package.manifest.model_version);
  model.add_opset_import()->set_version(kOnnxOpset);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(package.manifest.model_name);
  describe_value(*graph.add_input(), "features", package.spec.inputs);
  describe_value(*graph.add_output(), "logits", package.spec.outputs());
  describe_value(*graph.add_output(), "probabilities", package.spec.outputs());
  add_layers(graph, package);
  add_metadata(model, package);

  std::vector<std::uint8_t> bytes(model.ByteSizeLong());
  google::protobuf::io::ArrayOutputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  if (!model.SerializeToCodedStream(&stream) || stream.HadError()) {
    throw PackageError(Status::kInternal, "protobuf cannot serialise the ONNX model");
  }
  return bytes;
}

}  // namespace skep::release
