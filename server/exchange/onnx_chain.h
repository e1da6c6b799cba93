// An ONNX file as a chain of operators between one input and one output, checked before anything
// is computed from it.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "onnx_shape.h"
#include "skep/bytes.h"
#include "skep/exchange/error.h"

namespace skep::exchange {

/// "node 'conv1' (Conv)", for messages.
[[nodiscard]] std::string where_of(const onnx::NodeProto& node);

/// One operator on the way from the graph's input to its output.
struct Step {
  const onnx::NodeProto* node = nullptr;
  std::string where;           ///< where_of() it.
  std::size_t data_input = 0;  ///< Which of the node's inputs comes from the step before.
};

/// Views into the parsed file, which it owns.
///
/// Nothing outside of the bytes is read: external data is refused, no path is ever opened.
class OnnxChain {
 public:
  /// Errors: ExchangeError of kTooLarge for more than kMaxOnnxBytes or kMaxOnnxSteps; of kMalformed
  /// for what is no ONNX model or contradicts itself; of kUnsupportedVersion for an opset outside
  /// of kMinOnnxOpset … kMaxOnnxOpset; of kUnsupported naming the first operator that is not
  /// accepted, or what makes the graph no chain.
  explicit OnnxChain(Bytes file);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// Of the graph's input, without the batch.
  [[nodiscard]] const std::vector<std::uint32_t>& input_extents() const { return input_extents_; }
  /// As the file fixes it; none if it is open.
  [[nodiscard]] std::optional<std::int64_t> batch() const { return batch_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }

  /// The constant that a step has as input number `index`; null if it has none there.
  [[nodiscard]] const onnx::TensorProto* constant(const Step& step, std::size_t index) const;
  [[nodiscard]] const OnnxConstants& constants() const { return constants_; }
  /// The operators that compute shapes, none of which is a step; no value's extents are known yet.
  [[nodiscard]] const ShapeArithmetic& shapes() const { return shapes_; }
  [[nodiscard]] const std::string& input_name() const { return input_name_; }

 private:
  void check_opset();
  void check_operators() const;
  void collect_constants();
  const onnx::TensorProto& tensor_of(const onnx::NodeProto& node);
  void add_constant(const std::string& name, const onnx::TensorProto& tensor);
  void collect_producers();
  void read_input();
  void follow();
  [[nodiscard]] std::map<std::string, std::vector<Step>> consumers() const;
  void check_end(const std::string& value) const;

  onnx::ModelProto model_;
  std::int64_t opset_ = 0;
  OnnxConstants constants_;
  std::list<onnx::TensorProto> written_as_attributes_;
  std::set<const onnx::NodeProto*> constant_nodes_;
  ShapeArithmetic shapes_;
  std::set<const onnx::NodeProto*> shape_nodes_;
  std::map<std::string, std::string> producers_;  // value → where it is made
  std::string input_name_;
  std::optional<std::int64_t> batch_;
  std::vector<std::uint32_t> input_extents_;
  std::vector<Step> steps_;
};

/// A constant's extents and numbers. Errors: ExchangeError of kMalformed if the bytes that are
/// there are not those that the extents declare; of kUnsupported for another element type.
struct RealTensor {
  std::vector<std::int64_t> extents;
  std::vector<double> values;
};
[[nodiscard]] RealTensor read_reals(const onnx::TensorProto& tensor, const std::string& where);
[[nodiscard]] std::vector<std::int64_t> read_integers(const onnx::TensorProto& tensor,
                                                      const std::string& where);

}  // namespace skep::exchange
