#include "engine_on_heap.h"

#include <string>
#include <utility>

#include "skep/exchange/describe.h"

namespace skep::release {
namespace {

learn::Engine create(const ModelSpec& spec, learn::Purpose purpose, std::span<std::byte> memory) {
  Result<learn::Engine> engine = learn::Engine::create(spec, purpose, memory);
  if (!engine.ok()) {
    throw ReleaseError(engine.status(),
                       std::string("the engine refuses the model: ") + to_string(engine.status()));
  }
  return std::move(*engine);
}

std::size_t bytes_for(const ModelSpec& spec, learn::Purpose purpose) {
  const learn::MemoryPlan plan = require_plan(spec);
  return purpose == learn::Purpose::kTraining ? plan.training_bytes : plan.inference_bytes;
}

}  // namespace

learn::MemoryPlan require_plan(const ModelSpec& spec) {
  try {
    return exchange::require_plan(spec);
  } catch (const exchange::ExchangeError& error) {
    throw ReleaseError(error.status(), error.what());
  }
}

EngineOnHeap::EngineOnHeap(const ModelSpec& spec, learn::Purpose purpose)
    : memory_(bytes_for(spec, purpose)), engine_(create(spec, purpose, memory_)) {}

void EngineOnHeap::load(Bytes weights) {
  const std::uint32_t expected = require_plan(engine_.spec()).weights_blob_bytes;
  if (weights.size() != expected) {
    throw ReleaseError(Status::kMalformed, "weights of " + std::to_string(weights.size()) +
                                               " bytes: the spec expects " +
                                               std::to_string(expected));
  }
  const Status status = engine_.load(SpanSource(weights));
  if (status != Status::kOk) {
    throw ReleaseError(status, std::string("the engine refuses the weights: ") + to_string(status));
  }
}

}  // namespace skep::release
