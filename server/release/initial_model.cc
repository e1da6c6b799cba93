#include "skep/release/initial_model.h"

#include <string>

#include "engine_on_heap.h"

namespace skep::release {

std::vector<std::uint8_t> initial_weights(const ModelSpec& spec, std::uint32_t seed) {
  EngineOnHeap heap(spec, learn::Purpose::kInference);
  std::vector<std::uint8_t> weights(require_plan(spec).weights_blob_bytes);
  Status status = heap.engine().initialize(seed);
  if (status == Status::kOk) status = heap.engine().store(weights);
  if (status != Status::kOk) {
    throw ReleaseError(status, std::string("cannot initialise a model: ") + to_string(status));
  }
  return weights;
}

}  // namespace skep::release
