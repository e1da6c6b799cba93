// A model's architecture as data: it travels in the signed package and one engine interprets it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "skep/config.h"
#include "skep/status.h"

namespace skep {

/// Extent of the values between two layers, stored [height][width][channels]: the channels of one
/// position lie together. A series has height 1, a plain vector also width 1.
struct Shape {
  std::uint16_t height = 1;
  std::uint16_t width = 1;
  std::uint16_t channels = 0;

  /// Number of values, up to 2^48 in a shape that nobody has checked.
  [[nodiscard]] constexpr std::uint64_t size() const {
    return std::uint64_t{height} * width * channels;
  }
  /// Number of positions, each with all channels.
  [[nodiscard]] constexpr std::uint32_t positions() const { return std::uint32_t{height} * width; }

  friend bool operator==(const Shape&, const Shape&) = default;
};

/// What a layer computes; y is its output, x its input. Numbers are part of the wire contract
/// (`LayerKind` in proto/skep.proto).
enum class LayerKind : std::uint8_t {
  kDense = 1,  ///< y = W x + b on a plain vector; W is [outputs][inputs].
  kRelu = 2,   ///< y = max(x, 0).
  kConv = 3,   ///< Cross-correlation, padded with zeros; W is [channels][kernel h][kernel w][in].
               ///< With height 1 it is the Conv1D of other frameworks.
  kDepthwiseConv = 4,      ///< Each channel by itself; W is [kernel h][kernel w][channels].
  kMaxPool = 5,            ///< Largest of a window, each channel by itself; no padding.
  kAveragePool = 6,        ///< Mean of a window, each channel by itself; no padding.
  kGlobalAveragePool = 7,  ///< Mean of all positions: a plain vector.
  kFlatten = 8,            ///< The same values as a plain vector, [height][width][channels].
  kLeakyRelu = 9,          ///< y = x where x ≥ 0, else x * negative_slope_q15 / 2^15.
  kSigmoid = 10,           ///< y = 1 / (1 + e^−x).
  kTanh = 11,              ///< y = tanh(x).
};

/// Numbers are part of the wire contract (`Loss` in proto/skep.proto).
enum class Loss : std::uint8_t {
  kSoftmaxCrossEntropy = 1,  ///< Over the outputs; a label is a class index.
  kMeanSquaredError = 2,     ///< Of outputs against the sample itself: an autoencoder's. The
                             ///< model has as many outputs as inputs; labels are not looked at.
  kBinaryCrossEntropy = 3,   ///< Sigmoid and cross-entropy of each output, then the mean; bit i
                             ///< of a label is the target of output i, 1 … 16 outputs.
};

/// Of a convolution or a pool: which inputs one output sees.
struct Window {
  std::uint8_t height = 0;         ///< Of the kernel, 1 … 255.
  std::uint8_t width = 0;          ///< Of the kernel, 1 … 255.
  std::uint8_t stride_height = 0;  ///< 1 … 255.
  std::uint8_t stride_width = 0;   ///< 1 … 255.
  std::uint8_t pad_top = 0;        ///< Rows of zeros, less than the kernel's; convolutions only.
  std::uint8_t pad_bottom = 0;
  std::uint8_t pad_left = 0;
  std::uint8_t pad_right = 0;

  friend bool operator==(const Window&, const Window&) = default;
};

struct LayerSpec {
  LayerKind kind;
  /// Channels of the output; for a plain vector its width. Free for kDense and kConv, all values
  /// of the input for kFlatten, else the input's channels: said again, so that a spec whose parts
  /// do not belong together is found out.
  std::uint16_t outputs;
  Window window{};  ///< kConv, kDepthwiseConv, kMaxPool, kAveragePool; all 0 for the others.
  std::uint16_t negative_slope_q15 = 0;  ///< kLeakyRelu: 1 … 32767; 0 for the others.

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

[[nodiscard]] constexpr bool is_activation(LayerKind kind) {
  return kind == LayerKind::kRelu || kind == LayerKind::kLeakyRelu || kind == LayerKind::kSigmoid ||
         kind == LayerKind::kTanh;
}
[[nodiscard]] constexpr bool has_parameters(LayerKind kind) {
  return kind == LayerKind::kDense || kind == LayerKind::kConv || kind == LayerKind::kDepthwiseConv;
}
[[nodiscard]] constexpr bool has_window(LayerKind kind) {
  return kind == LayerKind::kConv || kind == LayerKind::kDepthwiseConv ||
         kind == LayerKind::kMaxPool || kind == LayerKind::kAveragePool;
}

/// Layers in order. Plain data, at most 14 * kMaxLayers + 12 bytes; not validated by itself:
/// learn::plan_memory() says whether it is a model that can run.
struct ModelSpec {
  std::uint16_t inputs = 0;        ///< Features per sample, 1 … kMaxLayerWidth.
  std::uint16_t input_height = 1;  ///< Of the sample, where the first layers need a shape; its
  std::uint16_t input_width = 1;   ///< channels are inputs / (height * width), without remainder.
  std::int8_t input_exponent = 0;  ///< A feature's value is int16 * 2^input_exponent; −30 … 15.
  Loss loss = Loss::kSoftmaxCrossEntropy;
  std::uint8_t frozen_layers = 0;  ///< The first layers, whose parameters training leaves alone.
  std::uint8_t layer_count = 0;
  std::array<LayerSpec, kMaxLayers> layers{};

  [[nodiscard]] constexpr std::span<const LayerSpec> active_layers() const {
    return {layers.data(), layer_count};
  }
  [[nodiscard]] constexpr Shape input_shape() const {
    const std::uint32_t positions = std::uint32_t{input_height} * input_width;
    if (positions == 0 || inputs % positions != 0) return {0, 0, 0};
    return {input_height, input_width, static_cast<std::uint16_t>(inputs / positions)};
  }
  /// Shape of the last layer's output. Requires a spec that plan_memory() accepts.
  [[nodiscard]] constexpr Shape output_shape() const;
  /// Number of the last layer's outputs. Requires a spec that plan_memory() accepts.
  [[nodiscard]] constexpr std::uint16_t outputs() const {
    return static_cast<std::uint16_t>(output_shape().size());
  }

  /// Unused places in `layers` count, too: they are all alike in a spec that nobody tampered with.
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

/// Shape of a layer's output for an input of shape `input`, whose extents are ≥ 1.
///
/// Errors: kUnsupported for a kind that this build does not know; kInvalidArgument if the layer's
/// own fields are out of their ranges or set where they mean nothing, if `outputs` is not what the
/// kind gives, if a window does not fit the padded input, or if a Dense layer's input is not a
/// plain vector; kTooLarge if the output has more than kMaxLayerWidth values.
[[nodiscard]] constexpr Result<Shape> output_shape(const LayerSpec& layer, const Shape& input);

namespace internal {

constexpr Status check_window(const LayerSpec& layer) {
  const Window& window = layer.window;
  if (!has_window(layer.kind)) {
    return window == Window{} ? Status::kOk : Status::kInvalidArgument;
  }
  const bool is_pool = !has_parameters(layer.kind);
  const bool padded = window.pad_top + window.pad_bottom + window.pad_left + window.pad_right != 0;
  const bool valid = window.height >= 1 && window.width >= 1 && window.stride_height >= 1 &&
                     window.stride_width >= 1 && window.pad_top < window.height &&
                     window.pad_bottom < window.height && window.pad_left < window.width &&
                     window.pad_right < window.width && !(is_pool && padded);
  return valid ? Status::kOk : Status::kInvalidArgument;
}

/// Number of places of a kernel on one axis, 0 if it is larger than the padded input.
constexpr std::uint16_t places(std::uint32_t extent, std::uint32_t pads, std::uint32_t kernel,
                               std::uint32_t stride) {
  if (extent + pads < kernel) return 0;
  return static_cast<std::uint16_t>((extent + pads - kernel) / stride + 1);
}

constexpr Shape windowed_shape(const Window& window, const Shape& input) {
  return {places(input.height, std::uint32_t{window.pad_top} + window.pad_bottom, window.height,
                 window.stride_height),
          places(input.width, std::uint32_t{window.pad_left} + window.pad_right, window.width,
                 window.stride_width),
          input.channels};
}

/// The shape that a known kind with a valid window gives, before it is compared with what the spec
/// says.
constexpr Result<Shape> shape_of_kind(const LayerSpec& layer, const Shape& input) {
  switch (layer.kind) {
    case LayerKind::kDense:
      if (input.positions() != 1) return Status::kInvalidArgument;
      return Shape{1, 1, layer.outputs};
    case LayerKind::kConv: {
      Shape shape = windowed_shape(layer.window, input);
      shape.channels = layer.outputs;
      return shape;
    }
    case LayerKind::kDepthwiseConv:
    case LayerKind::kMaxPool:
    case LayerKind::kAveragePool:
      return windowed_shape(layer.window, input);
    case LayerKind::kGlobalAveragePool:
      return Shape{1, 1, input.channels};
    case LayerKind::kFlatten:
      if (input.size() > UINT16_MAX) return Status::kTooLarge;
      return Shape{1, 1, static_cast<std::uint16_t>(input.size())};
    case LayerKind::kRelu:
    case LayerKind::kLeakyRelu:
    case LayerKind::kSigmoid:
    case LayerKind::kTanh:
      return input;
  }
  return Status::kUnsupported;
}

}  // namespace internal

constexpr Result<Shape> output_shape(const LayerSpec& layer, const Shape& input) {
  if (layer.kind < LayerKind::kDense || layer.kind > LayerKind::kTanh) return Status::kUnsupported;
  SKEP_TRY(internal::check_window(layer));
  SKEP_ASSIGN_OR_RETURN(const Shape shape, internal::shape_of_kind(layer, input));
  const bool has_slope = layer.negative_slope_q15 != 0;
  if (has_slope != (layer.kind == LayerKind::kLeakyRelu) || layer.negative_slope_q15 > INT16_MAX) {
    return Status::kInvalidArgument;
  }
  if (shape.size() == 0 || shape.channels != layer.outputs) return Status::kInvalidArgument;
  if (shape.size() > kMaxLayerWidth) return Status::kTooLarge;
  return shape;
}

constexpr Shape ModelSpec::output_shape() const {
  Shape shape = input_shape();
  for (const LayerSpec& layer : active_layers()) {
    const Result<Shape> next = skep::output_shape(layer, shape);
    if (!next.ok()) return {0, 0, 0};
    shape = *next;
  }
  return shape;
}

}  // namespace skep
