// Per element of the delta: top-K alone, the whole encoder, the gateway's decoder.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <vector>

#include "skep/compress/compressor.h"
#include "skep/compress/decoder.h"
#include "skep/compress/error_feedback.h"
#include "top_k.h"

namespace skep::compress {
namespace {

std::vector<std::int16_t> make_values(std::size_t size) {
  std::mt19937 generator(1);
  std::normal_distribution<float> distribution(0, 4000);
  std::vector<std::int16_t> values(size);
  for (auto& value : values) value = static_cast<std::int16_t>(distribution(generator));
  return values;
}

Noised make_update(std::vector<std::int16_t>& values) {
  return privacy::without_noise(privacy::clip({values, -14, 1}, Norm{UINT32_MAX}).value());
}

Options options_for(std::uint32_t dimension) { return {keep_count_for(dimension, 100), 10}; }

void bench_select_top_k(benchmark::State& state) {
  const auto dimension = static_cast<std::uint32_t>(state.range(0));
  const auto values = make_values(dimension);
  for (auto _ : state) {
    benchmark::DoNotOptimize(select_top_k(values, options_for(dimension).keep_count));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bench_select_top_k)->Arg(2410)->Arg(50890);

void bench_compress(benchmark::State& state) {
  const auto dimension = static_cast<std::uint32_t>(state.range(0));
  auto values = make_values(dimension);
  const Noised update = make_update(values);
  std::vector<std::uint8_t> out(max_compressed_bytes(dimension, options_for(dimension)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(compress(update, options_for(dimension), out));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bench_compress)->Arg(2410)->Arg(50890);

void bench_inspect(benchmark::State& state) {
  const auto dimension = static_cast<std::uint32_t>(state.range(0));
  auto values = make_values(dimension);
  std::vector<std::uint8_t> out(max_compressed_bytes(dimension, options_for(dimension)));
  const Compressed sent = compress(make_update(values), options_for(dimension), out).value();
  for (auto _ : state) benchmark::DoNotOptimize(inspect(sent.bytes(), dimension));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bench_inspect)->Arg(2410)->Arg(50890);

void bench_error_feedback(benchmark::State& state) {
  const auto dimension = static_cast<std::uint32_t>(state.range(0));
  auto values = make_values(dimension);
  const Noised update = make_update(values);
  std::vector<std::uint8_t> out(max_compressed_bytes(dimension, options_for(dimension)));
  const Compressed sent = compress(update, options_for(dimension), out).value();
  std::vector<std::int16_t> memory(dimension);
  ErrorFeedback feedback(memory);
  auto sums = values;
  for (auto _ : state) {
    benchmark::DoNotOptimize(feedback.retain(update, sent));
    Delta delta{sums, -14, 1};
    benchmark::DoNotOptimize(feedback.add_to(delta));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bench_error_feedback)->Arg(2410);

}  // namespace
}  // namespace skep::compress
