// A model's architecture on the command line: as an operator types it, and as he reads it.
#pragma once

#include <cstdint>
#include <string>

#include "answer.h"
#include "skep/model_spec.h"

namespace skep::skepctl {

/// "dense:32,relu,dense:10" → layers: the short form for plain classifiers, all others are written
/// as skep/exchange/model_text.h says. A relu keeps the width of what is before it.
///
/// Errors: CommandError of kInvalidArgument naming the layer that is not one; ExchangeError as
/// exchange::require_plan().
ModelSpec parse_spec(std::uint32_t inputs, int input_exponent, const std::string& layers);

/// "64 inputs, 3 layers, 2410 parameters, 5452 bytes of RAM to train". Requires a spec that
/// learn::plan_memory() accepts; so does describe().
std::string summarize(const ModelSpec& spec);

/// What every command says about a spec.
Json describe(const ModelSpec& spec);

}  // namespace skep::skepctl
