// Random small models of every kind of layer, for properties.
#pragma once

#include <rapidcheck.h>

#include <cstdint>

#include "skep/learn/memory_plan.h"
#include "skep/model_spec.h"

namespace skep::learn_testing {

namespace internal {

inline std::uint8_t draw_u8(int low, int high) {
  return static_cast<std::uint8_t>(*rc::gen::inRange(low, high + 1));
}

// A window that fits `input`; with pads up to the kernel less one for convolutions.
inline Window draw_window(const Shape& input, bool padded) {
  Window window;
  window.height = draw_u8(1, input.height < 4 ? input.height : 4);
  window.width = draw_u8(1, input.width < 4 ? input.width : 4);
  window.stride_height = draw_u8(1, 3);
  window.stride_width = draw_u8(1, 3);
  if (!padded) return window;
  window.pad_top = draw_u8(0, window.height - 1);
  window.pad_bottom = draw_u8(0, window.height - 1);
  window.pad_left = draw_u8(0, window.width - 1);
  window.pad_right = draw_u8(0, window.width - 1);
  return window;
}

inline void append(ModelSpec& spec, Shape& shape, const LayerSpec& layer) {
  spec.layers[spec.layer_count++] = layer;
  const Result<Shape> next = skep::output_shape(layer, shape);
  RC_ASSERT(next.ok());
  shape = *next;
}

inline void append_activation(ModelSpec& spec, Shape& shape) {
  const auto kind = *rc::gen::element(LayerKind::kRelu, LayerKind::kLeakyRelu, LayerKind::kSigmoid,
                                      LayerKind::kTanh, LayerKind::kDense);
  if (kind == LayerKind::kDense) return;  // none
  LayerSpec layer{kind, shape.channels};
  if (kind == LayerKind::kLeakyRelu) {
    layer.negative_slope_q15 = *rc::gen::inRange<std::uint16_t>(1, 32768);
  }
  append(spec, shape, layer);
}

inline void append_spatial(ModelSpec& spec, Shape& shape) {
  const auto kind = *rc::gen::element(LayerKind::kConv, LayerKind::kDepthwiseConv,
                                      LayerKind::kMaxPool, LayerKind::kAveragePool);
  const auto outputs =
      kind == LayerKind::kConv ? *rc::gen::inRange<std::uint16_t>(1, 6) : shape.channels;
  append(spec, shape, {kind, outputs, draw_window(shape, has_parameters(kind))});
  if (*rc::gen::inRange(0, 3) != 0) append_activation(spec, shape);
}

inline void append_dense(ModelSpec& spec, Shape& shape, std::uint16_t outputs) {
  append(spec, shape, {LayerKind::kDense, outputs});
}

}  // namespace internal

/// A model that plan_memory() accepts: up to two layers with windows on an input of up to 8 x 8 x
/// 4, then perhaps a global pool, then up to two Dense layers; activations anywhere; each loss;
/// a prefix frozen now and then.
inline ModelSpec draw_model() {
  using namespace internal;
  ModelSpec spec;
  const auto extent = [] { return *rc::gen::inRange<std::uint16_t>(1, 9); };
  Shape shape{extent(), extent(), *rc::gen::inRange<std::uint16_t>(1, 5)};
  spec.input_height = shape.height;
  spec.input_width = shape.width;
  spec.inputs = static_cast<std::uint16_t>(shape.size());
  spec.input_exponent = static_cast<std::int8_t>(*rc::gen::inRange(-18, -10));
  spec.loss = *rc::gen::element(Loss::kSoftmaxCrossEntropy, Loss::kMeanSquaredError,
                                Loss::kBinaryCrossEntropy);
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) append_spatial(spec, shape);
  if (*rc::gen::inRange(0, 3) == 0) {
    append(spec, shape, {LayerKind::kGlobalAveragePool, shape.channels});
  } else {
    append(spec, shape, {LayerKind::kFlatten, static_cast<std::uint16_t>(shape.size())});
  }
  if (*rc::gen::arbitrary<bool>()) {
    append_dense(spec, shape, *rc::gen::inRange<std::uint16_t>(1, 20));
    append_activation(spec, shape);
  }
  const std::uint16_t outputs =
      spec.loss == Loss::kMeanSquaredError ? spec.inputs : *rc::gen::inRange<std::uint16_t>(1, 9);
  append_dense(spec, shape, outputs);
  if (spec.loss == Loss::kMeanSquaredError) append_activation(spec, shape);
  // The last layer is always trainable, so that there is something to train.
  if (*rc::gen::inRange(0, 3) == 0) {
    spec.frozen_layers = draw_u8(0, spec.layer_count - 2);
  }
  RC_ASSERT(learn::plan_memory(spec).ok());
  return spec;
}

/// A label that the model's loss can be computed for.
inline std::uint16_t draw_label(const ModelSpec& spec) {
  const int count = spec.loss == Loss::kSoftmaxCrossEntropy  ? spec.outputs()
                    : spec.loss == Loss::kBinaryCrossEntropy ? 1 << spec.outputs()
                                                             : 1;
  return static_cast<std::uint16_t>(*rc::gen::inRange(0, count));
}

}  // namespace skep::learn_testing
