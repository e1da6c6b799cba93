#include "onnx_chain.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "printable.h"
#include "skep/config.h"
#include "skep/exchange/onnx_import.h"

namespace skep::exchange {
namespace {

// In the order of docs/guides/models.md.
constexpr std::array<std::string_view, 28> kOperators = {"Add",
                                                         "AveragePool",
                                                         "BatchNormalization",
                                                         "Constant",
                                                         "Conv",
                                                         "Div",
                                                         "Dropout",
                                                         "Flatten",
                                                         "Gemm",
                                                         "GlobalAveragePool",
                                                         "GlobalMaxPool",
                                                         "Identity",
                                                         "LeakyRelu",
                                                         "LogSoftmax",
                                                         "MatMul",
                                                         "MaxPool",
                                                         "Mul",
                                                         "Pad",
                                                         "ReduceMean",
                                                         "Relu",
                                                         "Reshape",
                                                         "Sigmoid",
                                                         "Softmax",
                                                         "Squeeze",
                                                         "Sub",
                                                         "Tanh",
                                                         "Transpose",
                                                         "Unsqueeze"};

[[noreturn]] void malformed(const std::string& what) {
  throw ExchangeError(Status::kMalformed, what);
}
[[noreturn]] void unsupported(const std::string& what) {
  throw ExchangeError(Status::kUnsupported, what);
}

std::string quoted(const std::string& name) { return "'" + printable(name) + "'"; }

onnx::ModelProto parse(Bytes file) {
  if (file.size() > kMaxOnnxBytes) {
    throw ExchangeError(Status::kTooLarge, "the file has " + std::to_string(file.size()) +
                                               " bytes: expected an ONNX model of at most " +
                                               std::to_string(kMaxOnnxBytes));
  }
  onnx::ModelProto model;
  google::protobuf::io::CodedInputStream stream(file.data(), static_cast<int>(file.size()));
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage() ||
      !model.has_graph()) {
    malformed("the file is no ONNX model, or is cut off");
  }
  return model;
}

/// Number of elements that the extents declare.
std::size_t count_of(const onnx::TensorProto& tensor, const std::string& where) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : tensor.dims()) {
    // No more elements can be there than the file has bytes.
    if (extent < 0 || static_cast<std::uint64_t>(extent) > kMaxOnnxBytes) {
      malformed(where + ": a constant of extent " + std::to_string(extent));
    }
    count *= static_cast<std::uint64_t>(extent);
    if (count > kMaxOnnxBytes) malformed(where + ": a constant larger than the file");
  }
  return static_cast<std::size_t>(count);
}

[[noreturn]] void wrong_length(const std::string& where, std::size_t expected, std::size_t there) {
  malformed(where + ": a constant that declares " + std::to_string(expected) + " elements has " +
            std::to_string(there));
}

/// Little endian, as ONNX says of raw_data.
template <typename T>
std::vector<T> read_raw(const std::string& raw, std::size_t count, const std::string& where) {
  if (raw.size() % sizeof(T) != 0 || raw.size() / sizeof(T) != count) {
    wrong_length(where, count, raw.size() / sizeof(T));
  }
  std::vector<T> values(count);
  std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(values.data()));
  return values;
}

template <typename T, typename Field>
std::vector<T> read_elements(const onnx::TensorProto& tensor, const Field& field,
                             const std::string& where) {
  const std::size_t count = count_of(tensor, where);
  if (tensor.has_raw_data()) return read_raw<T>(tensor.raw_data(), count, where);
  if (static_cast<std::size_t>(field.size()) != count) {
    wrong_length(where, count, static_cast<std::size_t>(field.size()));
  }
  return {field.begin(), field.end()};
}

}  // namespace

std::string where_of(const onnx::NodeProto& node) {
  const bool has_name = !node.name().empty();
  const std::string& name = has_name || node.output_size() == 0 ? node.name() : node.output(0);
  return "node " + quoted(name) + " (" + printable(node.op_type()) + ")";
}

RealTensor read_reals(const onnx::TensorProto& tensor, const std::string& where) {
  RealTensor result{{tensor.dims().begin(), tensor.dims().end()}, {}};
  if (tensor.data_type() == onnx::TensorProto::FLOAT) {
    const auto values = read_elements<float>(tensor, tensor.float_data(), where);
    result.values.assign(values.begin(), values.end());
  } else if (tensor.data_type() == onnx::TensorProto::DOUBLE) {
    result.values = read_elements<double>(tensor, tensor.double_data(), where);
  } else {
    unsupported(where + ": constant " + quoted(tensor.name()) + " has element type " +
                std::to_string(tensor.data_type()) + ": expected float (1) or double (11)");
  }
  return result;
}

std::vector<std::int64_t> read_integers(const onnx::TensorProto& tensor, const std::string& where) {
  if (tensor.data_type() == onnx::TensorProto::INT32) {
    const auto values = read_elements<std::int32_t>(tensor, tensor.int32_data(), where);
    return {values.begin(), values.end()};
  }
  if (tensor.data_type() != onnx::TensorProto::INT64) {
    unsupported(where + ": constant " + quoted(tensor.name()) + " has element type " +
                std::to_string(tensor.data_type()) + ": expected int64 (7) or int32 (6)");
  }
  return read_elements<std::int64_t>(tensor, tensor.int64_data(), where);
}

OnnxChain::OnnxChain(Bytes file) : model_(parse(file)) {
  check_opset();
  collect_constants();
  check_operators();
  read_input();
  collect_producers();
  follow();
}

const onnx::TensorProto* OnnxChain::constant(const Step& step, std::size_t index) const {
  if (index == step.data_input || index >= static_cast<std::size_t>(step.node->input_size())) {
    return nullptr;
  }
  const auto found = constants_.find(step.node->input(static_cast<int>(index)));
  return found == constants_.end() ? nullptr : found->second;
}

void OnnxChain::check_opset() {
  for (const onnx::OperatorSetIdProto& set : model_.opset_import()) {
    if (set.domain().empty() || set.domain() == "ai.onnx") opset_ = set.version();
  }
  if (opset_ < kMinOnnxOpset || opset_ > kMaxOnnxOpset) {
    throw ExchangeError(Status::kUnsupportedVersion,
                        "opset " + std::to_string(opset_) + ": expected " +
                            std::to_string(kMinOnnxOpset) + " to " + std::to_string(kMaxOnnxOpset));
  }
}

void OnnxChain::check_operators() const {
  if (model_.functions_size() != 0) {
    unsupported(
        "the model has functions: expected a plain graph (of PyTorch 2.6 or later, or "
        "inlined by onnx.inliner)");
  }
  for (const onnx::NodeProto& node : model_.graph().node()) {
    if (shape_nodes_.contains(&node)) continue;
    const bool is_standard = node.domain().empty() || node.domain() == "ai.onnx";
    const bool is_known =
        std::find(kOperators.begin(), kOperators.end(), node.op_type()) != kOperators.end();
    if (is_standard && is_known) continue;
    std::string accepted;
    for (const std::string_view name : kOperators) {
      accepted += (accepted.empty() ? "" : ", ") + std::string(name);
    }
    unsupported(where_of(node) + " cannot be imported; accepted are " + accepted);
  }
}

void OnnxChain::add_constant(const std::string& name, const onnx::TensorProto& tensor) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() != 0) {
    unsupported("constant " + quoted(name) +
                " lies in another file: expected a model with its weights in it "
                "(torch.onnx.export(..., external_data=False))");
  }
  if (name.empty() || !constants_.emplace(name, &tensor).second) {
    malformed("constant " + quoted(name) + " is there twice, or has no name");
  }
}

void OnnxChain::collect_constants() {
  const onnx::GraphProto& graph = model_.graph();
  if (graph.sparse_initializer_size() != 0) {
    unsupported("the model has sparse constants: expected dense ones");
  }
  for (const onnx::TensorProto& tensor : graph.initializer()) add_constant(tensor.name(), tensor);
  for (const onnx::NodeProto& node : graph.node()) {
    if (node.op_type() == "Constant") {
      add_constant(node.output_size() == 1 ? node.output(0) : "", tensor_of(node));
      constant_nodes_.insert(&node);
    } else if (node.op_type() == "Identity" && node.input_size() == 1 && node.output_size() == 1) {
      // How PyTorch writes weights that two layers share.
      const auto shared = constants_.find(node.input(0));
      if (shared == constants_.end()) continue;
      add_constant(node.output(0), *shared->second);
      constant_nodes_.insert(&node);
    } else if (shapes_.take(node, constants_)) {
      shape_nodes_.insert(&node);
    }
  }
}

/// What a Constant says, in whichever of its attributes.
const onnx::TensorProto& OnnxChain::tensor_of(const onnx::NodeProto& node) {
  const std::string name = node.attribute_size() == 1 ? node.attribute(0).name() : "";
  if (name == "value" && node.attribute(0).has_t()) return node.attribute(0).t();
  onnx::TensorProto& tensor = written_as_attributes_.emplace_back();
  tensor.set_data_type(onnx::TensorProto::INT64);
  if (name == "value_int") {
    tensor.add_int64_data(node.attribute(0).i());
  } else if (name == "value_ints") {
    *tensor.mutable_int64_data() = node.attribute(0).ints();
    tensor.add_dims(node.attribute(0).ints_size());
  } else if (name == "value_float") {
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_float_data(node.attribute(0).f());
  } else if (name == "value_floats") {
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    *tensor.mutable_float_data() = node.attribute(0).floats();
    tensor.add_dims(node.attribute(0).floats_size());
  } else {
    unsupported(where_of(node) +
                ": expected a constant with the one attribute value, value_int, "
                "value_ints, value_float or value_floats");
  }
  return tensor;
}

void OnnxChain::read_input() {
  const onnx::ValueInfoProto* input = nullptr;
  for (const onnx::ValueInfoProto& value : model_.graph().input()) {
    if (constants_.contains(value.name())) continue;  // How IR versions before 4 list weights.
    if (input != nullptr) {
      unsupported("inputs " + quoted(input->name()) + " and " + quoted(value.name()) +
                  ": expected a model with one");
    }
    input = &value;
  }
  if (input == nullptr) malformed("the model has no input");
  input_name_ = input->name();
  const onnx::TypeProto::Tensor& type = input->type().tensor_type();
  if (!input->type().has_tensor_type() || type.elem_type() != onnx::TensorProto::FLOAT ||
      type.shape().dim_size() < 2) {
    unsupported("input " + quoted(input_name_) +
                ": expected a float tensor of known shape, the batch first");
  }
  if (type.shape().dim(0).has_dim_value()) batch_ = type.shape().dim(0).dim_value();
  std::uint64_t total = 1;
  for (int i = 1; i < type.shape().dim_size(); ++i) {
    const onnx::TensorShapeProto::Dimension& dimension = type.shape().dim(i);
    const std::int64_t extent = dimension.has_dim_value() ? dimension.dim_value() : 0;
    if (extent < 1) {
      unsupported("input " + quoted(input_name_) + ": axis " + std::to_string(i) +
                  " is dynamic: expected a fixed extent (only the batch may be open)");
    }
    if (extent > kMaxLayerWidth || (total *= static_cast<std::uint64_t>(extent)) > kMaxLayerWidth) {
      throw ExchangeError(Status::kTooLarge, "input " + quoted(input_name_) + ": more than " +
                                                 std::to_string(kMaxLayerWidth) +
                                                 " values a sample");
    }
    input_extents_.push_back(static_cast<std::uint32_t>(extent));
  }
}

void OnnxChain::collect_producers() {
  const auto add = [this](const std::string& value, const std::string& where) {
    if (constants_.contains(value) || !producers_.emplace(value, where).second) {
      malformed(where + ": value " + quoted(value) + " is made twice");
    }
  };
  add(input_name_, "the graph's input");
  for (const onnx::NodeProto& node : model_.graph().node()) {
    if (constant_nodes_.contains(&node)) continue;
    if (node.output_size() == 0) malformed(where_of(node) + ": no output");
    for (const std::string& output : node.output()) {
      if (!output.empty()) add(output, where_of(node));
    }
  }
}

/// Who reads which value. Every node reads exactly one that is no constant and no shape.
std::map<std::string, std::vector<Step>> OnnxChain::consumers() const {
  std::map<std::string, std::vector<Step>> result;
  for (const onnx::NodeProto& node : model_.graph().node()) {
    if (constant_nodes_.contains(&node) || shape_nodes_.contains(&node)) continue;
    Step step{&node, where_of(node), 0};
    int data_inputs = 0;
    for (int i = 0; i < node.input_size(); ++i) {
      const std::string& name = node.input(i);
      if (name.empty() || constants_.contains(name) || shapes_.makes(name)) continue;
      if (!producers_.contains(name)) malformed(step.where + ": nothing makes " + quoted(name));
      step.data_input = static_cast<std::size_t>(i);
      ++data_inputs;
    }
    if (data_inputs != 1) {
      unsupported(step.where + " joins " + std::to_string(data_inputs) +
                  " values: expected a chain, where every operator has one and constants");
    }
    result[node.input(static_cast<int>(step.data_input))].push_back(std::move(step));
  }
  return result;
}

void OnnxChain::follow() {
  const auto readers = consumers();
  std::string value = input_name_;
  std::set<std::string> seen{value};
  for (auto next = readers.find(value); next != readers.end(); next = readers.find(value)) {
    const std::vector<Step>& at = next->second;
    if (at.size() > 1) {
      unsupported("value " + quoted(value) + " goes to " + at[0].where + " and to " + at[1].where +
                  ": expected a chain without branches");
    }
    if (steps_.size() == kMaxOnnxSteps) {
      throw ExchangeError(Status::kTooLarge, at.front().where + ": more than " +
                                                 std::to_string(kMaxOnnxSteps) +
                                                 " operators between input and output");
    }
    steps_.push_back(at.front());
    value = at.front().node->output(0);
    // Cannot come back, as every operator has one input and every value one maker.
    if (value.empty() || !seen.insert(value).second) malformed(at.front().where + ": no output");
  }
  for (const auto& [name, at] : readers) {
    if (!seen.contains(name)) {
      unsupported(at.front().where +
                  " is not reached from the input: expected a chain without "
                  "branches and cycles");
    }
  }
  if (steps_.empty()) malformed("no operator reads the input");
  check_end(value);
}

void OnnxChain::check_end(const std::string& value) const {
  bool is_output = false;
  for (const onnx::ValueInfoProto& output : model_.graph().output()) {
    is_output |= output.name() == value;
  }
  if (!is_output) {
    malformed("the chain ends in " + quoted(value) + ": expected an output of the model");
  }
}

}  // namespace skep::exchange
