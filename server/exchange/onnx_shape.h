// What exporters write where a network asks for the extents of a value: x.view(x.size(0), -1).
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skep::exchange {

/// By name; of a parsed file, which owns them.
using OnnxConstants = std::map<std::string, const onnx::TensorProto*>;

/// An integer that a graph computes; none if it is the batch's extent, which no file knows.
using ShapeNumber = std::optional<std::int64_t>;

/// Of rank 0 to 2, row by row.
struct ShapeTensor {
  std::vector<std::size_t> extents;
  std::vector<ShapeNumber> values;

  [[nodiscard]] std::size_t rank() const { return extents.size(); }
};

/// Evaluates the operators of a graph that compute with extents, not with values: Shape, and what
/// is made of it and of constants by Cast, Concat, ConstantOfShape, Gather, Identity, Mul, Reshape,
/// Slice, Squeeze, Transpose and Unsqueeze. Tensors have at most two axes and kMaxNumbers numbers.
class ShapeArithmetic {
 public:
  static constexpr std::size_t kMaxNodes = 256;
  static constexpr std::size_t kMaxNumbers = 64;

  /// Takes the node if all that it works on is computed here or constant. Nodes are offered in the
  /// file's order, in which ONNX wants a value to be made before it is read.
  /// Errors: ExchangeError of kTooLarge for more than kMaxNodes of them.
  [[nodiscard]] bool take(const onnx::NodeProto& node, const OnnxConstants& constants);
  [[nodiscard]] bool makes(const std::string& value) const { return made_.contains(value); }

  /// The extents of a value that a Shape may ask for, the batch's first.
  void learn(const std::string& value, std::vector<ShapeNumber> extents);
  /// The numbers of a value that is made here. Errors: ExchangeError naming the node, of
  /// kUnsupported if it computes what is not known here, of kTooLarge for too many numbers.
  [[nodiscard]] std::vector<ShapeNumber> evaluate(const std::string& value,
                                                  const OnnxConstants& constants);

 private:
  std::vector<const onnx::NodeProto*> nodes_;
  std::set<std::string> made_;
  std::map<std::string, std::vector<ShapeNumber>> extents_;
  std::map<std::string, ShapeTensor> known_;  // what was evaluated stays so
};

}  // namespace skep::exchange
