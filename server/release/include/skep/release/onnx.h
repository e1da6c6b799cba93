// A model as ONNX, for every runtime that is not ours.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/release/package.h"

namespace skep::release {

inline constexpr int kOnnxOpset = 13;
inline constexpr int kOnnxIrVersion = 7;

/// An ONNX model (opset 13, IR 7; float32):
///
///   features       input [N, inputs], the real values int16 * 2^input_exponent
///   logits         output [N, outputs]
///   probabilities  output [N, outputs], softmax of the logits
///
/// Weights are exactly int16 * 2^e; biases, 32 bits wide in our format, are rounded to the
/// nearest float32. Version, digest and federation are in metadata_props. The same package gives
/// the same bytes: verify_export() relies on it.
///
/// Errors: PackageError of kInternal if protobuf cannot serialise it.
std::vector<std::uint8_t> to_onnx(const OpenedPackage& package);

}  // namespace skep::release
