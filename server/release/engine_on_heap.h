// The device's engine with memory from the heap, and Status turned into ReleaseError.
#pragma once

#include <cstddef>
#include <vector>

#include "skep/bytes.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"
#include "skep/release/error.h"

namespace skep::release {

/// The plan of a spec. Errors: ReleaseError with plan_memory()'s status.
learn::MemoryPlan require_plan(const ModelSpec& spec);

class EngineOnHeap {
 public:
  /// Errors: ReleaseError with Engine::create()'s status.
  EngineOnHeap(const ModelSpec& spec, learn::Purpose purpose);
  EngineOnHeap(const EngineOnHeap&) = delete;
  EngineOnHeap& operator=(const EngineOnHeap&) = delete;

  [[nodiscard]] learn::Engine& engine() { return engine_; }

  /// Errors: ReleaseError of kMalformed if `weights` is not the spec's blob.
  void load(Bytes weights);

 private:
  std::vector<std::byte> memory_;  // operator new aligns to 16
  learn::Engine engine_;
};

}  // namespace skep::release
