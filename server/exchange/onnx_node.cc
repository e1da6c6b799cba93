#include "onnx_node.h"

#include <algorithm>
#include <array>

namespace skep::exchange {
namespace {

using onnx::AttributeProto;

const AttributeProto* find(const Step& step, const char* name, AttributeProto::AttributeType type) {
  for (const AttributeProto& attribute : step.node->attribute()) {
    if (attribute.name() != name) continue;
    if (attribute.type() != type) {
      throw ExchangeError(Status::kMalformed,
                          step.where + ": " + name + " has an attribute's wrong type");
    }
    return &attribute;
  }
  return nullptr;
}

[[noreturn]] void refuse(const Step& step, const std::string& what) {
  throw ExchangeError(Status::kUnsupported, step.where + ": " + what);
}

void require_default(const Step& step, const char* name) {
  const std::int64_t value = integer_attribute(step, name, 0);
  if (value != 0) refuse(step, std::string(name) + " is " + std::to_string(value) + ": expected 0");
}

/// One number an axis, height first: a series has height 1.
using Pair = std::array<std::int64_t, 2>;

Pair pair_of(const Step& step, const char* name, const std::vector<std::int64_t>& values,
             std::size_t rank) {
  if (values.empty()) return {1, 1};
  if (values.size() != rank || rank > 2) {
    refuse(step, std::string(name) + " has " + std::to_string(values.size()) +
                     " extents: expected one an axis of the image or series");
  }
  return rank == 1 ? Pair{1, values[0]} : Pair{values[0], values[1]};
}

std::uint8_t byte(const Step& step, const char* name, std::int64_t value, std::int64_t low) {
  if (value < low || value > UINT8_MAX) {
    refuse(step, std::string(name) + " is " + std::to_string(value) + ": expected " +
                     std::to_string(low) + " to 255");
  }
  return static_cast<std::uint8_t>(value);
}

using Padding = ValueLayout::Padding;

Padding sum(const Padding& a, const Padding& b) { return {a.before + b.before, a.after + b.after}; }

/// As ONNX defines SAME: as many places as ceil(extent / stride).
Padding same_padding(std::int64_t extent, std::int64_t kernel, std::int64_t stride, bool upper) {
  const std::int64_t places = (extent + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>((places - 1) * stride + kernel - extent, 0);
  const std::int64_t half = total / 2;
  return upper ? Padding{half, total - half} : Padding{total - half, half};
}

std::array<Padding, 2> explicit_padding(const Step& step, std::size_t rank) {
  const std::vector<std::int64_t> pads = integers_attribute(step, "pads");
  if (pads.empty()) return {};
  if (pads.size() != 2 * rank) {
    refuse(step, "pads has " + std::to_string(pads.size()) + " numbers: expected " +
                     std::to_string(2 * rank));
  }
  for (const std::int64_t pad : pads) (void)byte(step, "pads", pad, 0);
  if (rank == 1) return {Padding{}, Padding{pads[0], pads[1]}};
  return {Padding{pads[0], pads[2]}, Padding{pads[1], pads[3]}};
}

std::array<Padding, 2> padding_of(const Step& step, std::size_t rank, const Pair& kernel,
                                  const Pair& strides, const Pair& input) {
  const std::string mode = text_attribute(step, "auto_pad", "NOTSET");
  if (mode == "NOTSET") return explicit_padding(step, rank);
  if (mode == "VALID") return {};
  const bool upper = mode == "SAME_UPPER";
  if (!upper && mode != "SAME_LOWER") {
    refuse(step, "auto_pad is no mode: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  }
  return {same_padding(input[0], kernel[0], strides[0], upper),
          same_padding(input[1], kernel[1], strides[1], upper)};
}

}  // namespace

std::int64_t integer_attribute(const Step& step, const char* name, std::int64_t absent) {
  const AttributeProto* found = find(step, name, AttributeProto::INT);
  return found == nullptr ? absent : found->i();
}

double real_attribute(const Step& step, const char* name, double absent) {
  const AttributeProto* found = find(step, name, AttributeProto::FLOAT);
  return found == nullptr ? absent : static_cast<double>(found->f());
}

std::string text_attribute(const Step& step, const char* name, const char* absent) {
  const AttributeProto* found = find(step, name, AttributeProto::STRING);
  return found == nullptr ? absent : found->s();
}

std::vector<std::int64_t> integers_attribute(const Step& step, const char* name) {
  const AttributeProto* found = find(step, name, AttributeProto::INTS);
  if (found == nullptr) return {};
  return {found->ints().begin(), found->ints().end()};
}

const onnx::TensorProto* tensor_attribute(const Step& step, const char* name) {
  const AttributeProto* found = find(step, name, AttributeProto::TENSOR);
  return found == nullptr ? nullptr : &found->t();
}

std::vector<std::int64_t> axes_of(const OnnxChain& chain, const Step& step) {
  const onnx::TensorProto* constant = chain.constant(step, 1);
  std::vector<std::int64_t> axes =
      constant != nullptr ? read_integers(*constant, step.where) : integers_attribute(step, "axes");
  if (axes.empty() || axes.size() > 8) refuse(step, "expected its axes, as constants");
  return axes;
}

Window window_of(const Step& step, const std::vector<std::int64_t>& kernel, const Shape& input,
                 const std::vector<Padding>& around) {
  const std::size_t rank = kernel.size();
  const Pair extents = pair_of(step, "kernel_shape", kernel, rank);
  const Pair strides = pair_of(step, "strides", integers_attribute(step, "strides"), rank);
  const Pair dilations = pair_of(step, "dilations", integers_attribute(step, "dilations"), rank);
  if (dilations != Pair{1, 1}) refuse(step, "dilations other than 1: expected none");
  require_default(step, "ceil_mode");
  require_default(step, "storage_order");
  Window window{.height = byte(step, "kernel_shape", extents[0], 1),
                .width = byte(step, "kernel_shape", extents[1], 1),
                .stride_height = byte(step, "strides", strides[0], 1),
                .stride_width = byte(step, "strides", strides[1], 1)};
  Padding above;
  Padding beside;
  if (!around.empty()) beside = around.back();
  if (around.size() == 2) above = around.front();
  const Pair padded = {input.height + above.before + above.after,
                       input.width + beside.before + beside.after};
  auto [rows, columns] = padding_of(step, rank, extents, strides, padded);
  rows = sum(rows, above);
  columns = sum(columns, beside);
  window.pad_top = byte(step, "pads", rows.before, 0);
  window.pad_bottom = byte(step, "pads", rows.after, 0);
  window.pad_left = byte(step, "pads", columns.before, 0);
  window.pad_right = byte(step, "pads", columns.after, 0);
  return window;
}

}  // namespace skep::exchange
