// A model that was trained elsewhere, as ONNX, into a spec with int16 weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "skep/bytes.h"
#include "skep/exchange/error.h"
#include "skep/exchange/model.h"

namespace skep::exchange {

inline constexpr std::size_t kMaxOnnxBytes = std::size_t{16} << 20U;
inline constexpr std::size_t kMaxOnnxSteps = 1024;  ///< Operators between input and output.
inline constexpr int kMinOnnxOpset = 7;
inline constexpr int kMaxOnnxOpset = 21;

struct ImportOptions {
  int input_exponent = 0;           ///< A feature is int16 * 2^input_exponent; −30 … 15.
  std::optional<Loss> loss;         ///< None: as the model's end suggests (docs/guides/models.md).
  std::uint32_t frozen_layers = 0;  ///< The first layers of the spec that training leaves alone.
};

/// Reads a chain of the operators that docs/guides/models.md lists, as PyTorch's and Keras'
/// exporters write them.
///
/// The sample is [height][width][channels] if the graph works on an image or a series first,
/// whichever order the graph's input has; otherwise it is the graph's input as it lies. Every
/// weight is off by at most 2^(e − 1), half a unit of the last place of its layer's exponent e,
/// every bias by 2^(e − 17), the slope of a LeakyRelu by 2^-16. Normalisation, a factor and a
/// summand a channel, is folded into the layer before or behind it, or becomes a layer if neither
/// can take it; a Softmax at the end is part of the loss, as is a Sigmoid with binary
/// cross-entropy.
///
/// Nothing outside of `file` is read. Errors, each naming node and operator: ExchangeError of
/// kMalformed, kTooLarge, kUnsupportedVersion, kUnsupported; of kInvalidArgument for NaN and
/// infinite weights and options out of their ranges; those of require_plan().
Model import_onnx(Bytes file, const ImportOptions& options);

}  // namespace skep::exchange
