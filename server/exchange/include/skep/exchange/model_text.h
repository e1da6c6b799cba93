// A model's architecture as a person writes it: the ModelSpec of proto/skep.proto in protobuf's
// text format.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "skep/exchange/error.h"
#include "skep/model_spec.h"

namespace skep::exchange {

inline constexpr std::size_t kMaxModelTextBytes = 65536;

/// Reads a ModelSpec; kinds and losses by their names in skep.proto. What follows from the rest may
/// be left out: the version; input_height and input_width (1); the loss (softmax cross-entropy);
/// outputs of all layers but DENSE and CONV; kernel_height (1, a series); strides (1 of a
/// convolution, the kernel's extents of a pool).
///
/// Errors: ExchangeError naming `name`: of kMalformed with line and column for what is no such
/// text, and for a version that is not the spec's; of kTooLarge if it is longer than
/// kMaxModelTextBytes; of kInvalidArgument naming the layer and field for a number out of its
/// range; those of require_plan().
ModelSpec parse_model_text(std::string_view text, const std::string& name);

/// The inverse, one line a layer, nothing left out but the version and fields that are 0.
/// Requires a spec that learn::plan_memory() accepts.
std::string format_model_text(const ModelSpec& spec);

}  // namespace skep::exchange
