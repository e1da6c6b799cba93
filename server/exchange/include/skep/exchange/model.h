// A model that no federation has signed yet.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/model_spec.h"

namespace skep::exchange {

struct Model {
  ModelSpec spec;                     ///< One that learn::plan_memory() accepts.
  std::vector<std::uint8_t> weights;  ///< The spec's canonical blob (docs/reference/weights.md).
};

}  // namespace skep::exchange
