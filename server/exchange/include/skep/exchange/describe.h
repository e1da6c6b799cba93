// A spec in words: what its parts are called, and why it is not a model that can run.
#pragma once

#include <string>

#include "skep/exchange/error.h"
#include "skep/learn/memory_plan.h"
#include "skep/model_spec.h"

namespace skep::exchange {

/// "max_pool": the wire's name without its prefix, in lower case; "unknown" for other numbers.
[[nodiscard]] const char* name_of(LayerKind kind);

/// "softmax_cross_entropy"; "unknown" for other numbers.
[[nodiscard]] const char* name_of(Loss loss);

/// "8x8x16" for height 8, width 8, 16 channels; "64" for a plain vector.
[[nodiscard]] std::string to_text(const Shape& shape);

/// What skep::output_shape() has against `layer` on an input of shape `input`, with both and what
/// was expected. Requires that it answers `status`, an error.
[[nodiscard]] std::string explain(const LayerSpec& layer, const Shape& input, Status status);

/// The plan of a spec.
///
/// Errors: ExchangeError with learn::plan_memory()'s status; it names the layer, counted from 0,
/// or the field of the spec or optimizer, and what was expected.
learn::MemoryPlan require_plan(const ModelSpec& spec, const learn::Optimizer& optimizer = {});

}  // namespace skep::exchange
