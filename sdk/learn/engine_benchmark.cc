// Time of a training step and of inference, MLP 64-32-10 (design.md, section 9) and a wider one.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

constexpr std::uint32_t kSampleCount = 64;

ModelSpec spec_of(const benchmark::State& state) {
  return learn_testing::mlp_spec(
      {static_cast<std::uint16_t>(state.range(0)), static_cast<std::uint16_t>(state.range(1)), 10},
      -15);
}

// Random pixels, half of them dark, so that ReLUs die as they do on images.
std::vector<std::vector<std::int16_t>> random_samples(std::uint32_t width) {
  Xorshift32 generator(1);
  std::vector<std::vector<std::int16_t>> samples(kSampleCount, std::vector<std::int16_t>(width));
  for (auto& sample : samples) {
    for (std::int16_t& pixel : sample) {
      const std::uint32_t draw = generator.next();
      pixel = static_cast<std::int16_t>((draw & 1) != 0 ? draw >> 17 : 0);
    }
  }
  return samples;
}

void train_step(benchmark::State& state) {
  const ModelSpec spec = spec_of(state);
  std::vector<std::byte> memory(plan_memory(spec)->training_bytes);
  Engine engine = *Engine::create(spec, Purpose::kTraining, memory);
  if (engine.initialize(1) != Status::kOk) state.SkipWithError("initialize");
  const auto samples = random_samples(spec.inputs);
  std::uint32_t i = 0;
  for (auto _ : state) {
    const auto label = static_cast<std::uint16_t>(i % 10);
    benchmark::DoNotOptimize(engine.train_step(samples[i++ % kSampleCount], label, {1, 5}).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(train_step)->Args({64, 32})->Args({784, 64});

void forward(benchmark::State& state) {
  const ModelSpec spec = spec_of(state);
  std::vector<std::byte> memory(plan_memory(spec)->inference_bytes);
  Engine engine = *Engine::create(spec, Purpose::kInference, memory);
  if (engine.initialize(1) != Status::kOk) state.SkipWithError("initialize");
  const auto samples = random_samples(spec.inputs);
  std::uint32_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine.forward(samples[i++ % kSampleCount]).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(forward)->Args({64, 32})->Args({784, 64});

}  // namespace
}  // namespace skep::learn
