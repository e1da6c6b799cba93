// Attributes of an ONNX node, with the defaults that ONNX's operator reference gives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnx_chain.h"
#include "skep/model_spec.h"
#include "value_layout.h"

namespace skep::exchange {

/// Errors of all: ExchangeError of kMalformed if the attribute has another type.
[[nodiscard]] std::int64_t integer_attribute(const Step& step, const char* name,
                                             std::int64_t absent);
[[nodiscard]] double real_attribute(const Step& step, const char* name, double absent);
[[nodiscard]] std::string text_attribute(const Step& step, const char* name, const char* absent);
/// Null if it is absent.
[[nodiscard]] const onnx::TensorProto* tensor_attribute(const Step& step, const char* name);
/// Empty if it is absent.
[[nodiscard]] std::vector<std::int64_t> integers_attribute(const Step& step, const char* name);

/// The axes of a Squeeze, Unsqueeze or ReduceMean: an attribute before opset 13 or 18, then
/// input 1.
[[nodiscard]] std::vector<std::int64_t> axes_of(const OnnxChain& chain, const Step& step);

/// Window of a convolution or pool whose kernel has the extents `kernel`, [height][width] or
/// [width], on an input of shape `input` with `around` zeros an axis of the kernel, none if empty,
/// which become the window's. Errors: ExchangeError of kUnsupported naming the
/// attribute: dilations, ceil_mode or storage_order, extents of another rank, negative padding,
/// numbers above 255.
[[nodiscard]] Window window_of(const Step& step, const std::vector<std::int64_t>& kernel,
                               const Shape& input,
                               const std::vector<ValueLayout::Padding>& around = {});

}  // namespace skep::exchange
