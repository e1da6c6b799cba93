// A program of somebody who installed Skep: uses something real of each library that it links.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "skep/device.h"
#include "skep/learn/engine.h"
#include "skep/seal/crypto.h"
#include "skep/seal/sha256.h"

namespace {

// Two features; the class is the index of the larger one.
constexpr skep::ModelSpec kSpec{.inputs = 2,
                                .input_exponent = -15,
                                .layer_count = 1,
                                .layers = {{{skep::LayerKind::kDense, 2}}}};
constexpr std::array<std::array<std::int16_t, 2>, 2> kSamples = {{{30000, 0}, {0, 30000}}};

alignas(8) std::array<std::byte, skep::learn::plan_memory(kSpec)->training_bytes> workspace;

bool learns() {
  auto engine = skep::learn::Engine::create(kSpec, skep::learn::Purpose::kTraining, workspace);
  if (!engine.ok() || engine->initialize(1) != skep::Status::kOk) return false;
  for (int step = 0; step < 200; ++step) {
    const auto label = static_cast<std::uint16_t>(step % 2);
    if (!engine->train_step(kSamples[label], label, {.mantissa = 1, .shift = 4}).ok()) return false;
  }
  for (std::uint16_t label = 0; label < 2; ++label) {
    if (!engine->forward(kSamples[label]).ok()) return false;
    const auto predicted = engine->predicted_class();
    if (!predicted.ok() || *predicted != label) return false;
  }
  return true;
}

bool hashes() {
  if (skep::seal::initialize_crypto() != skep::Status::kOk) return false;
  constexpr std::array<std::uint8_t, 3> kMessage = {'a', 'b', 'c'};
  const auto digest = skep::seal::sha256(kMessage);
  return digest.ok() && (*digest)[0] == 0xBA && (*digest)[31] == 0xAD;  // FIPS 180-4, example 1
}

}  // namespace

int main() {
  if (!learns() || !hashes()) return 1;
  std::printf("find_package(skep) works; a skep::Device takes %zu bytes, its first event is %s\n",
              sizeof(skep::Device), skep::round::to_string(skep::round::EventKind::kConnected));
}
