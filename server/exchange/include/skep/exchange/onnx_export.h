// A model as ONNX, for every runtime that is not ours.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "skep/bytes.h"
#include "skep/exchange/error.h"
#include "skep/model_spec.h"

namespace skep::exchange {

inline constexpr int kOnnxOpset = 13;
inline constexpr int kOnnxIrVersion = 7;

struct OnnxMetadata {
  std::string model_name;
  std::int64_t model_version = 0;
  std::vector<std::pair<std::string, std::string>> properties;  ///< In metadata_props, in order.
};

/// An ONNX model (opset 13, IR 7; float32):
///
///   features        input, the real values int16 * 2^input_exponent: [N, inputs] if the sample is
///                   a plain vector, else [N, channels, height, width]
///   logits          output [N, outputs] of a classifier, in the order of its classes
///   probabilities   output [N, outputs]: softmax of the logits, their sigmoid with
///                   binary_cross_entropy
///   reconstruction  the only output with mean_squared_error, in the order of the features
///
/// Weights are exactly int16 * 2^e; biases, 32 bits wide in our format, are rounded to the
/// nearest float32. The same arguments give the same bytes.
///
/// Requires `weights` that an Engine of `spec` loads. Errors: ExchangeError of kInternal if
/// protobuf cannot serialise it.
std::vector<std::uint8_t> export_onnx(const ModelSpec& spec, Bytes weights,
                                      const OnnxMetadata& metadata);

}  // namespace skep::exchange
