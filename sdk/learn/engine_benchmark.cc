// Time of a training step and of inference, MLP 64-32-10 (design.md, section 9) and a wider one;
// and of the kernels, those of this machine beside the portable ones.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "kernels_portable.h"
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

// ---- the kernels, each as "portable" and as "chosen"; items are products or weights

constexpr std::uint32_t kRows = 64;
constexpr std::uint32_t kMaxWidth = 1024;

struct Operands {
  std::vector<std::int16_t> a = std::vector<std::int16_t>(std::size_t{kRows} * kMaxWidth);
  std::vector<std::int16_t> b = std::vector<std::int16_t>(std::size_t{kRows} * kMaxWidth);
  std::vector<std::int64_t> sums = std::vector<std::int64_t>(kMaxWidth);

  Operands() {
    Xorshift32 generator(1);
    for (std::int16_t& value : a) value = static_cast<std::int16_t>(generator.next() >> 17);
    for (std::int16_t& value : b) value = static_cast<std::int16_t>(generator.next() >> 16);
  }
};

template <auto multiply_rows>
void multiply_64_rows(benchmark::State& state) {
  const auto n = static_cast<std::uint32_t>(state.range(0));
  Operands on;
  for (auto _ : state) {
    multiply_rows(on.a.data(), n, kRows, on.b.data(), n, on.sums.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kRows * n);
}

template <auto multiply_channels>
void multiply_three_positions(benchmark::State& state) {
  const auto channels = static_cast<std::uint32_t>(state.range(0));
  const auto stride = static_cast<std::int32_t>(channels);
  Operands on;
  for (auto _ : state) {
    multiply_channels(on.a.data(), on.b.data(), {3, stride, stride}, channels, on.sums.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 3 * channels);
}

template <auto update>
void update_weights(benchmark::State& state) {
  const auto n = static_cast<std::uint32_t>(state.range(0));
  Operands on;
  std::uint32_t random = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(update(on.a.data(), on.b.data(), n, 12345, random));
  }
  state.SetItemsProcessed(state.iterations() * n);
}

template <auto update_with_gradient>
void update_weights_with_gradient(benchmark::State& state) {
  const auto n = static_cast<std::uint32_t>(state.range(0));
  Operands on;
  std::uint32_t random = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        update_with_gradient(on.a.data(), on.b.data(), on.sums.data(), n, 12345, 77, random));
  }
  state.SetItemsProcessed(state.iterations() * n);
}

// What no update can be faster than: a draw for each pair of weights.
void draws_of_an_update(benchmark::State& state) {
  Xorshift32 generator(1);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); i += 2) benchmark::DoNotOptimize(generator.next());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

namespace portable = kernels_portable;
namespace chosen = kernels;

BENCHMARK(multiply_64_rows<portable::multiply_rows>)->Arg(64)->Arg(1024);
BENCHMARK(multiply_64_rows<chosen::multiply_rows>)->Arg(64)->Arg(1024);
BENCHMARK(multiply_three_positions<portable::multiply_channels>)->Arg(64);
BENCHMARK(multiply_three_positions<chosen::multiply_channels>)->Arg(64);
BENCHMARK(update_weights<portable::update>)->Arg(64)->Arg(1024);
BENCHMARK(update_weights<chosen::update>)->Arg(64)->Arg(1024);
BENCHMARK(update_weights_with_gradient<portable::update_with_gradient>)->Arg(64)->Arg(1024);
BENCHMARK(update_weights_with_gradient<chosen::update_with_gradient>)->Arg(64)->Arg(1024);
BENCHMARK(draws_of_an_update)->Arg(1024);

}  // namespace
}  // namespace skep::learn
