// A model's layers as an operator types them.
#pragma once

#include <cstdint>
#include <string>

#include "skep/model_spec.h"

namespace skep::skepctl {

/// "dense:32,relu,dense:10" → layers. A relu keeps the width of what is before it.
///
/// Errors: CommandError of kInvalidArgument naming the layer that is not one, or what
/// learn::plan_memory() has against the whole.
ModelSpec parse_spec(std::uint32_t inputs, int input_exponent, const std::string& layers);

/// The inverse: "dense:32,relu,dense:10".
std::string format_layers(const ModelSpec& spec);

}  // namespace skep::skepctl
