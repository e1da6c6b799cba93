// An ONNX file as a chain of operators between one input and one output, checked before anything
// is computed from it.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "skep/bytes.h"
#include "skep/exchange/error.h"

namespace skep::exchange {

/// One operator on the way from the graph's input to its output.
struct Step {
  const onnx::NodeProto* node = nullptr;
  std::string where;           ///< "node 'conv1' (Conv)", for messages.
  std::size_t data_input = 0;  ///< Which of the node's inputs comes from the step before.
};

/// Views into the parsed file, which it owns.
///
/// Nothing outside of the bytes is read: external data is refused, no path is ever opened.
class OnnxChain {
 public:
  /// Errors: ExchangeError of kTooLarge for more than kMaxOnnxBytes; of kMalformed for what is no
  /// ONNX model or contradicts itself; of kUnsupportedVersion for an opset outside of
  /// kMinOnnxOpset … kMaxOnnxOpset; of kUnsupported naming the first operator that is not
  /// accepted, or what makes the graph no chain.
  explicit OnnxChain(Bytes file);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// Of the graph's input, without the batch.
  [[nodiscard]] const std::vector<std::uint32_t>& input_extents() const { return input_extents_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }

  /// The constant that a step has as input number `index`; null if it has none there.
  [[nodiscard]] const onnx::TensorProto* constant(const Step& step, std::size_t index) const;

 private:
  void check_opset();
  void check_operators() const;
  void collect_constants();
  void add_constant(const std::string& name, const onnx::TensorProto& tensor);
  void collect_producers();
  void read_input();
  void follow();
  [[nodiscard]] std::map<std::string, std::vector<Step>> consumers() const;
  void check_end(const std::string& value) const;

  onnx::ModelProto model_;
  std::int64_t opset_ = 0;
  std::map<std::string, const onnx::TensorProto*> constants_;
  std::map<std::string, std::string> producers_;  // value → where it is made
  std::string input_name_;
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
