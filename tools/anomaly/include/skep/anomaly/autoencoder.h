// The model that judges: in the device's integers, or in float32 to compare with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "skep/model_spec.h"

namespace skep::anomaly {

/// Learns to give back what it is given; its loss says how badly it does.
class Autoencoder {
 public:
  virtual ~Autoencoder() = default;

  /// Mean squared error on one sample, Q16.16.
  virtual std::uint32_t loss_q16(std::span<const std::int16_t> features) = 0;

  /// One step of SGD on one sample.
  virtual void train(std::span<const std::int16_t> features) = 0;
};

/// Dense inputs→1, tanh, Dense 1→inputs.
///
/// The bottleneck is what makes it a detector: what usual samples look like fits through it, an
/// unusual one does not. And tanh ends: a level that was never seen cannot be reached by going on
/// along a line, as it could with ReLU.
ModelSpec autoencoder_spec(std::uint16_t inputs, std::int8_t input_exponent);

/// skep::learn::Engine on memory of exactly its plan's size. First weights and roundings follow
/// from the seed. Throws std::runtime_error if the engine refuses.
std::unique_ptr<Autoencoder> make_integer_autoencoder(const ModelSpec& spec, std::uint32_t seed);

/// The same first weights, rate and formulas in float32.
std::unique_ptr<Autoencoder> make_float_autoencoder(const ModelSpec& spec, std::uint32_t seed);

}  // namespace skep::anomaly
