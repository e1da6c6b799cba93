// What the engine's tests share: an engine that owns its memory, and blobs as values.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "skep/learn/engine.h"

namespace skep::learn {

/// Exactly the memory that the plan asks for, on the heap so that ASan sees one byte beyond.
class TestEngine {
 public:
  TestEngine(const ModelSpec& spec, Purpose purpose, const Optimizer& optimizer = {})
      : plan_(*plan_memory(spec, optimizer)),
        memory_(purpose == Purpose::kTraining ? plan_.training_bytes : plan_.inference_bytes),
        engine_(*Engine::create(spec, purpose, memory_, optimizer)) {}

  Engine* operator->() { return &engine_; }
  Engine& operator*() { return engine_; }
  [[nodiscard]] const MemoryPlan& plan() const { return plan_; }

  [[nodiscard]] std::vector<std::uint8_t> blob() const {
    std::vector<std::uint8_t> bytes(plan_.weights_blob_bytes);
    EXPECT_EQ(engine_.store(bytes), Status::kOk);
    return bytes;
  }

 private:
  MemoryPlan plan_;
  std::vector<std::byte> memory_;  // operator new aligns to at least 8
  Engine engine_;
};

/// One layer as blob bytes.
inline void append_layer(std::vector<std::uint8_t>& blob, int exponent,
                         const std::vector<std::int16_t>& weights,
                         const std::vector<std::int32_t>& biases) {
  const auto put = [&blob](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) blob.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  put(static_cast<std::uint32_t>(exponent), 2);
  for (const std::int16_t w : weights) put(static_cast<std::uint16_t>(w), 2);
  for (const std::int32_t b : biases) put(static_cast<std::uint32_t>(b), 4);
}

}  // namespace skep::learn
