// What the engine's source files share: its state, a layer bound to memory, normalisation.
#pragma once

#include <cstdint>

#include "skep/learn/engine.h"

namespace skep::learn {

/// Smallest exponent of an activation: finer ones would let an aligned bias overflow.
inline constexpr int kMinActivationExponent = -36;

struct Engine::State {
  std::uint32_t random;  // xorshift32 of stochastic rounding, never 0
  std::int16_t output_exponent;
  std::uint16_t has_output;  // 1 once forward() ran on the current weights
};

/// One Dense layer and the ReLU that may follow it.
struct Engine::Layer {
  std::uint32_t inputs;
  std::uint32_t outputs;
  std::int16_t* weights;         // [outputs][inputs]
  std::int32_t* biases;          // [outputs]
  std::int16_t* exponent;        // of the weights
  std::int16_t* input_exponent;  // of the last forward; training only
  std::int16_t* output;          // [outputs], after the ReLU if there is one
  bool rectified;
};

/// values[i] * 2^exponent.
struct Engine::Vector {
  const std::int16_t* values;
  int exponent;
};

/// Rounds `values` * 2^exponent to int16 so that the largest has 15 significant bits, but with an
/// exponent of at least `min_exponent`. Returns the exponent of `out`. |values| ≤ 2^62.
int normalize(const std::int64_t* values, std::uint32_t n, int exponent, int min_exponent,
              std::int16_t* out);

}  // namespace skep::learn
