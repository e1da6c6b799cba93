// The weights of version 1.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/model_spec.h"
#include "skep/release/error.h"

namespace skep::release {

/// He initialisation by the engine (learn::Engine::initialize) as a canonical weights blob. The
/// same seed gives the same bytes on every machine.
///
/// Errors: ReleaseError with plan_memory()'s status if the spec is not a model that can run.
std::vector<std::uint8_t> initial_weights(const ModelSpec& spec, std::uint32_t seed);

}  // namespace skep::release
