#include "onnx_shape.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "onnx_node.h"

namespace skep::exchange {
namespace {

constexpr std::array<std::string_view, 11> kOperators = {
    "Cast",    "Concat", "ConstantOfShape", "Gather",    "Identity", "Mul",
    "Reshape", "Slice",  "Squeeze",         "Transpose", "Unsqueeze"};

using Known = std::map<std::string, ShapeTensor>;

[[noreturn]] void refuse(const Step& step, const std::string& what) {
  throw ExchangeError(Status::kUnsupported, step.where + ": " + what);
}

/// One operator, whose operands are known.
class Evaluation {
 public:
  Evaluation(const Step& step, const Known& known, const OnnxConstants& constants)
      : step_(step), known_(known), constants_(constants) {}

  ShapeTensor run() const {
    const std::string& op = step_.node->op_type();
    ShapeTensor result = op == "Concat"            ? concatenated()
                         : op == "ConstantOfShape" ? filled()
                         : op == "Gather"          ? gathered()
                         : op == "Mul"             ? product()
                         : op == "Reshape"         ? reshaped()
                         : op == "Slice"           ? sliced()
                         : op == "Transpose"       ? transposed()
                                                   : with_rank_of(op);
    if (result.values.size() > ShapeArithmetic::kMaxNumbers) {
      throw ExchangeError(Status::kTooLarge, step_.where + ": computes a shape of more than " +
                                                 std::to_string(ShapeArithmetic::kMaxNumbers) +
                                                 " numbers");
    }
    return result;
  }

 private:
  ShapeTensor operand(std::size_t index) const {
    if (index >= static_cast<std::size_t>(step_.node->input_size())) {
      refuse(step_, "has no input " + std::to_string(index));
    }
    const std::string& name = step_.node->input(static_cast<int>(index));
    if (const auto known = known_.find(name); known != known_.end()) return known->second;
    const auto constant = constants_.find(name);
    if (constant == constants_.end() || constant->second->dims_size() > 2) {
      refuse(step_,
             "computes a shape from what is not known: expected constants and extents of "
             "values before it");
    }
    const std::vector<std::int64_t> values = read_integers(*constant->second, step_.where);
    const auto& dims = constant->second->dims();
    return {{dims.begin(), dims.end()}, {values.begin(), values.end()}};
  }

  /// A constant or computed vector without the batch's extent.
  std::vector<std::int64_t> plain(std::size_t index) const {
    std::vector<std::int64_t> result;
    for (const ShapeNumber& value : operand(index).values) {
      if (!value) refuse(step_, "computes with the batch's extent");
      result.push_back(*value);
    }
    return result;
  }

  /// The one number of input `index`, or of an attribute in opsets that have it there.
  std::int64_t bound(std::size_t index, const char* attribute, std::int64_t absent) const {
    if (step_.node->input_size() == 1) {
      const std::vector<std::int64_t> values = integers_attribute(step_, attribute);
      if (values.size() > 1) refuse(step_, "cuts more than one axis");
      return values.empty() ? absent : values[0];
    }
    if (index >= static_cast<std::size_t>(step_.node->input_size()) ||
        step_.node->input(static_cast<int>(index)).empty()) {
      return absent;
    }
    const std::vector<std::int64_t> values = plain(index);
    if (values.size() != 1) refuse(step_, "cuts more than one axis");
    return values[0];
  }

  void require_axis_0(std::int64_t axis, const ShapeTensor& of) const {
    if (of.rank() == 0 || (axis != 0 && axis != -static_cast<std::int64_t>(of.rank()))) {
      refuse(step_, "computes a shape along axis " + std::to_string(axis) + ": expected axis 0");
    }
  }

  ShapeTensor concatenated() const {
    ShapeTensor result{{0}, {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(step_.node->input_size()); ++i) {
      const ShapeTensor part = operand(i);
      require_axis_0(integer_attribute(step_, "axis", 0), part);
      if (part.rank() != 1) refuse(step_, "joins shapes of rank " + std::to_string(part.rank()));
      result.values.insert(result.values.end(), part.values.begin(), part.values.end());
    }
    result.extents[0] = result.values.size();
    return result;
  }

  ShapeTensor filled() const {
    const std::vector<std::int64_t> extents = plain(0);
    const onnx::TensorProto* value = tensor_attribute(step_, "value");
    if (extents.size() != 1 || extents[0] < 0 ||
        extents[0] > static_cast<std::int64_t>(ShapeArithmetic::kMaxNumbers) || value == nullptr) {
      refuse(step_, "expected a short vector of one integer");
    }
    const std::vector<std::int64_t> number = read_integers(*value, step_.where);
    if (number.size() != 1) refuse(step_, "expected a short vector of one integer");
    const auto count = static_cast<std::size_t>(extents[0]);
    return {{count}, std::vector<ShapeNumber>(count, number[0])};
  }

  ShapeTensor gathered() const {
    const ShapeTensor data = operand(0);
    const ShapeTensor indices = operand(1);
    require_axis_0(integer_attribute(step_, "axis", 0), data);
    if (data.rank() != 1)
      refuse(step_, "takes from a shape of rank " + std::to_string(data.rank()));
    ShapeTensor result{indices.extents, {}};
    const auto count = static_cast<std::int64_t>(data.values.size());
    for (const std::int64_t index : plain(1)) {
      if (index < -count || index >= count) {
        refuse(step_, "takes number " + std::to_string(index) + " of " + std::to_string(count));
      }
      result.values.push_back(
          data.values[static_cast<std::size_t>(index < 0 ? index + count : index)]);
    }
    return result;
  }

  ShapeTensor product() const {
    const std::vector<std::int64_t> a = plain(0);
    const std::vector<std::int64_t> b = plain(1);
    ShapeTensor result = operand(0);
    if (a.size() != b.size()) refuse(step_, "multiplies shapes of different lengths");
    for (std::size_t i = 0; i < a.size(); ++i) {
      // No value has more numbers than fit 16 bits, nor any of its extents.
      if (a[i] < 0 || b[i] < 0 || a[i] > UINT16_MAX || b[i] > UINT16_MAX) {
        refuse(step_, "multiplies what is no extent");
      }
      result.values[i] = a[i] * b[i];
    }
    return result;
  }

  ShapeTensor reshaped() const {
    const ShapeTensor data = operand(0);
    const std::vector<std::int64_t> target = plain(1);
    const std::size_t count = data.values.size();
    if (target.size() > 2) refuse(step_, "makes a shape of more than two axes");
    std::size_t product = 1;
    for (const std::int64_t extent : target) {
      if (extent < -1 || extent == 0 || extent > static_cast<std::int64_t>(count)) {
        refuse(step_, "the new shape does not fit the value");
      }
      if (extent > 0) product *= static_cast<std::size_t>(extent);
    }
    ShapeTensor result{{}, data.values};
    for (const std::int64_t extent : target) {
      result.extents.push_back(extent > 0 ? static_cast<std::size_t>(extent) : count / product);
    }
    const auto open = std::count(target.begin(), target.end(), -1);
    if (open > 1 || (open == 1 ? count % product : product - count) != 0) {
      refuse(step_, "the new shape does not fit the value");
    }
    return result;
  }

  /// Rows start, start + step … before end.
  ShapeTensor sliced() const {
    const ShapeTensor data = operand(0);
    require_axis_0(bound(3, "axes", 0), data);
    const auto rows = static_cast<std::int64_t>(data.extents[0]);
    const std::int64_t stride = bound(4, "steps", 1);
    if (stride != 1 && stride != -1) refuse(step_, "expected steps of 1 or -1");
    const auto clamp = [&](std::int64_t row) {
      const std::int64_t low = stride > 0 ? 0 : -1;
      return std::clamp(row < 0 ? std::max(row, -rows - 1) + rows : row, low, rows + low);
    };
    const std::int64_t end = clamp(bound(2, "ends", rows));
    const std::size_t row_size = rows == 0 ? 0 : data.values.size() / data.extents[0];
    ShapeTensor result{data.extents, {}};
    result.extents[0] = 0;
    for (std::int64_t row = clamp(bound(1, "starts", 0)); stride > 0 ? row < end : row > end;
         row += stride) {
      const auto first = data.values.begin() + row * static_cast<std::ptrdiff_t>(row_size);
      result.values.insert(result.values.end(), first,
                           first + static_cast<std::ptrdiff_t>(row_size));
      ++result.extents[0];
    }
    return result;
  }

  ShapeTensor transposed() const {
    const ShapeTensor data = operand(0);
    if (data.rank() != 2 || integers_attribute(step_, "perm") != std::vector<std::int64_t>{1, 0}) {
      refuse(step_, "expected two axes that change places");
    }
    ShapeTensor result{{data.extents[1], data.extents[0]}, {}};
    for (std::size_t column = 0; column < data.extents[1]; ++column) {
      for (std::size_t row = 0; row < data.extents[0]; ++row) {
        result.values.push_back(data.values[row * data.extents[1] + column]);
      }
    }
    return result;
  }

  /// A number as a vector of one, a vector of one as a number, or the same.
  ShapeTensor with_rank_of(const std::string& op) const {
    ShapeTensor result = operand(0);
    if (op == "Unsqueeze" && result.rank() == 0) {
      result.extents = {1};
    } else if (op == "Squeeze" && result.rank() == 1 && result.values.size() == 1) {
      result.extents.clear();
    } else if (op == "Unsqueeze" || op == "Squeeze") {
      refuse(step_, "computes a shape of another rank than 0 or 1");
    }
    if (op == "Cast") require_integers();
    return result;
  }

  void require_integers() const {
    const std::int64_t type = integer_attribute(step_, "to", 0);
    if (type != onnx::TensorProto::INT64 && type != onnx::TensorProto::INT32) {
      refuse(step_, "computes a shape of element type " + std::to_string(type) +
                        ": expected int64 (7) or int32 (6)");
    }
  }

  const Step& step_;
  const Known& known_;
  const OnnxConstants& constants_;
};

}  // namespace

bool ShapeArithmetic::take(const onnx::NodeProto& node, const OnnxConstants& constants) {
  const bool is_known =
      std::find(kOperators.begin(), kOperators.end(), node.op_type()) != kOperators.end();
  const bool computes =
      is_known && node.input_size() != 0 &&
      std::all_of(node.input().begin(), node.input().end(), [&](const std::string& input) {
        return input.empty() || makes(input) || constants.contains(input);
      });
  if (node.output_size() != 1 || (!computes && node.op_type() != "Shape")) return false;
  if (nodes_.size() == kMaxNodes) {
    throw ExchangeError(
        Status::kTooLarge,
        where_of(node) + ": more than " + std::to_string(kMaxNodes) + " operators compute shapes");
  }
  nodes_.push_back(&node);
  made_.insert(node.output(0));
  return true;
}

void ShapeArithmetic::learn(const std::string& value, std::vector<ShapeNumber> extents) {
  extents_[value] = std::move(extents);
}

std::vector<ShapeNumber> ShapeArithmetic::evaluate(const std::string& value,
                                                   const OnnxConstants& constants) {
  if (const auto found = known_.find(value); found != known_.end()) return found->second.values;
  std::set<std::string> needed{value};
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    if (!needed.contains((*node)->output(0))) continue;
    needed.insert((*node)->input().begin(), (*node)->input().end());
  }
  for (const onnx::NodeProto* node : nodes_) {
    if (!needed.contains(node->output(0)) || known_.contains(node->output(0))) continue;
    const Step step{node, where_of(*node), 0};
    if (node->op_type() != "Shape") {
      known_[node->output(0)] = Evaluation(step, known_, constants).run();
      continue;
    }
    const auto found = node->input_size() == 1 ? extents_.find(node->input(0)) : extents_.end();
    if (found == extents_.end() || node->attribute_size() != 0) {
      refuse(step, "expected all extents of a value before it");
    }
    known_[node->output(0)] = {{found->second.size()}, found->second};
  }
  return known_.at(value).values;
}

}  // namespace skep::exchange
