// What is in a model package.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/bytes.h"
#include "skep/model_spec.h"

namespace skep::demo {

struct ReleasedModel {
  ModelSpec spec;
  std::vector<std::uint8_t> weights;  ///< A canonical blob.
};

/// From the body of GET skep/v1/model, or an export's model.skep. The signature is not checked: the
/// gateway is our own. Throws std::runtime_error if it does not decode.
ReleasedModel read_released_model(Bytes package);

}  // namespace skep::demo
