// What the engine's source files share.
#pragma once

#include <cstdint>

#include "skep/learn/engine.h"

namespace skep::learn {

struct Engine::State {
  std::uint32_t random;  // xorshift32 of stochastic rounding, never 0
  std::int16_t output_exponent;
  std::uint16_t has_output;  // 1 once forward() ran on the current weights
};

template <typename T>
T* array_at(std::byte* memory, std::uint32_t offset_bytes) {
  return reinterpret_cast<T*>(memory + offset_bytes);
}

}  // namespace skep::learn
