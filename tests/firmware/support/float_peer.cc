#include "float_peer.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

#include "skep/learn_testing/reference_network.h"

namespace skep::firmware_test {
namespace {

using Network = learn_testing::ReferenceNetwork<float>;

constexpr std::size_t kMostFeatures = 1152;

std::optional<Network> network;
std::array<float, kMostFeatures> sample;

void enable_fpu() {
#ifdef __ARM_FP
  // CPACR: full access to coprocessors 10 and 11, which are the FPU (Armv7-M, B3.2.20).
  *reinterpret_cast<volatile std::uint32_t*>(0xE000ED88) |= 0xFU << 20U;
  asm volatile("dsb\n isb" ::: "memory");
#endif
}

std::span<const float> as_float(std::span<const std::int16_t> features) {
  const float unit = std::ldexp(1.0F, network->spec().input_exponent);
  for (std::size_t i = 0; i < features.size(); ++i) {
    sample[i] = static_cast<float>(features[i]) * unit;
  }
  return std::span(sample).first(features.size());
}

}  // namespace

bool float_peer_has_fpu() {
#ifdef __ARM_FP
  return true;
#else
  return false;
#endif
}

std::uint32_t make_float_peer(const ModelSpec& spec, Bytes weights, std::span<std::byte> memory) {
  enable_fpu();
  const std::size_t floats = Network::memory_size(spec);
  if (memory.size() < floats * sizeof(float) || spec.inputs > kMostFeatures) return 0;
  network.emplace(spec, std::span(reinterpret_cast<float*>(memory.data()), floats));
  network->load(weights);
  return static_cast<std::uint32_t>(floats * sizeof(float));
}

std::uint16_t run_float_peer(std::span<const std::int16_t> features) {
  network->forward(as_float(features));
  return network->predicted_class();
}

float train_float_peer(std::span<const std::int16_t> features, std::uint16_t label, float rate) {
  return network->train_step(as_float(features), label, rate);
}

}  // namespace skep::firmware_test
