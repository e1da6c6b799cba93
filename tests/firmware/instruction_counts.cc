// What the SDK's operations cost on this core, in instructions, and the digest of the update that
// every machine makes from the same samples.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/compress/compressor.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/specs.h"
#include "skep/privacy/clip.h"
#include "skep/privacy/noise.h"
#include "skep/seal/hpke.h"
#include "skep/seal/signature.h"
#include "support/reference_round.h"
#include "support/samples.h"
#include "support/test_board.h"
#include "support/test_keys.h"
#include "top_k.h"

namespace skep::firmware_test {
namespace {

using learn::Engine;
using learn::MemoryPlan;

// The bar's model, which is the demo's too (design.md, section 9).
constexpr ModelSpec kSpec = learn_testing::mlp_spec({64, 32, 10}, -15);
constexpr MemoryPlan kMemory = *learn::plan_memory(kSpec);
constexpr learn::LearningRate kDemoRate{1, 3};
constexpr std::size_t kStepCount = 64;
constexpr std::size_t kRamBar = 6 * 1024;
static_assert(kMemory.training_bytes <= kRamBar);

constexpr compress::Options kDemoOptions{compress::keep_count_for(kMemory.trainable_count, 100), 8};
constexpr std::uint32_t kCompressedBytesMax =
    compress::max_compressed_bytes(kMemory.trainable_count, kDemoOptions);

struct Cost {
  std::uint32_t mean = 0;
  std::uint32_t most = 0;
};

template <typename Work>
Cost cost_of_steps(Work work) {
  Cost cost;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kStepCount; ++i) {
    const std::uint32_t instructions = instructions_of([&] { work(i); });
    sum += instructions;
    cost.most = std::max(cost.most, instructions);
  }
  cost.mean = static_cast<std::uint32_t>(sum / kStepCount);
  return cost;
}

void report_cost(const char* name, Cost cost) {
  report({"instructions", {name, cost.mean}, {"most", cost.most}});
}

void report_cost(const char* name, std::uint32_t instructions) {
  report({"instructions", {name, instructions}});
}

StaticSamples<kStepCount, kSpec.inputs> samples;
alignas(8) std::array<std::byte, kMemory.training_bytes> engine_memory;
std::array<std::uint8_t, kMemory.weights_blob_bytes> base_weights;
std::array<std::int16_t, kMemory.trainable_count> delta_values;
std::array<std::uint8_t, kCompressedBytesMax> compressed_bytes;
std::array<std::uint8_t, kCompressedBytesMax + seal::hpke::kTagBytes> sealed_bytes;

// A step that skips nothing: no input is 0, and all weights but the last layer's are positive, so
// that all units are alive and pass a gradient on.
void count_worst_step() {
  Engine engine = take(Engine::create(kSpec, learn::Purpose::kTraining, engine_memory), "engine");
  static std::array<std::uint8_t, kMemory.weights_blob_bytes> blob;
  Xorshift32 generator(1);
  for (const learn::FusedLayer& layer : learn::ParameterLayers(kSpec)) {
    blob[layer.exponent_offset] = 0xF0;  // −16
    blob[layer.exponent_offset + 1] = 0xFF;
    const std::uint32_t sign = layer.first_weight == 0 ? 0x7FU : 0xFFU;
    for (std::uint32_t i = 0; i < layer.weight_count; ++i) {
      const std::uint32_t draw = generator.next();
      blob[layer.weights_offset + 2 * i] = static_cast<std::uint8_t>(draw | 1U);
      blob[layer.weights_offset + 2 * i + 1] = static_cast<std::uint8_t>(draw >> 8U & sign & 0x9FU);
    }
  }
  require(engine.load(SpanSource(blob)), "load");
  std::array<std::int16_t, kSpec.inputs> features{};
  for (std::int16_t& feature : features)
    feature = static_cast<std::int16_t>(generator.next() >> 18U | 1U);
  report_cost("train_step_all_units_alive", instructions_of([&] {
                require(engine.train_step(features, 3, kDemoRate).status(), "worst step");
              }));
}

// Counts forward passes and training steps; leaves what was learned in delta_values.
Delta count_learning() {
  fill_half_dark(samples, kSpec.outputs());
  Engine engine = take(Engine::create(kSpec, learn::Purpose::kTraining, engine_memory), "engine");
  require(engine.initialize(1), "initialize");
  require(engine.store(base_weights), "store");
  report_cost("forward", cost_of_steps([&](std::size_t i) {
                require(engine.forward(samples.features[i]).status(), "forward");
              }));
  report_cost("train_step_mlp_64_32_10", cost_of_steps([&](std::size_t i) {
                require(
                    engine.train_step(samples.features[i], samples.labels[i], kDemoRate).status(),
                    "train_step");
              }));
  report({"memory", {"train_mlp_64_32_10_bytes", engine_memory.size()}});
  return take(engine.difference_from(SpanSource(base_weights), delta_values, kStepCount), "delta");
}

Bytes count_compression(Delta delta) {
  report_cost("top_k", instructions_of([&] {
                const compress::Selection kept =
                    compress::select_top_k(delta.values, kDemoOptions.keep_count);
                require(kept.certain >= kept.tie, "top_k");
              }));
  const Noised update =
      privacy::without_noise(take(privacy::clip(delta, Norm{.q16 = UINT32_MAX}), "clip"));
  Bytes bytes;
  report_cost(
      "compress", instructions_of([&] {
        bytes =
            take(compress::compress(update, kDemoOptions, compressed_bytes), "compress").bytes();
      }));
  report({"memory", {"compressed_bytes", bytes.size()}});
  return bytes;
}

void count_cryptography(Bytes update) {
  const seal::VerifyingPoint recipient = take(foreign_key().public_key(), "recipient");
  seal::hpke::PublicKey enc;
  report_cost("seal", instructions_of([&] {
                require(seal::hpke::seal(seal::Kem::kP256HkdfSha256, recipient, Bytes(recipient),
                                         Bytes(recipient), update, enc, sealed_bytes)
                            .status(),
                        "seal");
              }));
  seal::Signature signature{};
  report_cost("sign", instructions_of([&] {
                signature = take(signing_key().sign(seal::Domain::kSealedUpdate, update), "sign");
              }));
  const auto key =
      take(seal::VerifyingKey::from_bytes(take(signing_key().public_key(), "public key")), "point");
  report_cost("verify", instructions_of([&] {
                require(key.verify(seal::Domain::kSealedUpdate, update, signature), "verify");
              }));
}

}  // namespace
}  // namespace skep::firmware_test

int main() {
  using namespace skep::firmware_test;
  count_worst_step();
  const skep::Delta delta = count_learning();
  const skep::Bytes update = count_compression(delta);
  make_keys();
  count_cryptography(update);
  report_hex("update_sha256", take(reference_update_digest(signing_key()), "reference update"));
  finish(true);
}
