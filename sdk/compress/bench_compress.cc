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

Options options_of(std::uint32_t dimension, CompressionMode mode = CompressionMode::kTopK) {
  return options_for({mode, static_cast<std::uint16_t>(has_keep_count(mode) ? 100 : 0),
                      static_cast<std::uint8_t>(has_value_bits(mode) ? 10 : 0)},
                     dimension, 1, Norm{UINT32_MAX});
}

void bench_select_top_k(benchmark::State& state) {
  const auto dimension = static_cast<std::uint32_t>(state.range(0));
  const auto values = make_values(dimension);
  for (auto _ : state) {
    benchmark::DoNotOptimize(select_top_k(values, options_of(dimension).keep_count));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bench_select_top_k)->Arg(2410)->Arg(50890);

/// Arguments: dimension, number of the mode.
void for_each_mode(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"d", "mode"})->ArgsProduct({{2410, 50890}, {1, 2, 3, 4, 5}});
}

/// A delta and the memory for its way through one mode.
struct Bench {
  explicit Bench(const benchmark::State& state)
      : dimension(static_cast<std::uint32_t>(state.range(0))),
        options(options_of(dimension, static_cast<CompressionMode>(state.range(1)))),
        values(make_values(dimension)),
        update(make_update(values)),
        out(max_compressed_bytes(dimension, options)),
        scratch(scratch_elements(dimension, options.mode)) {}

  Result<Compressed> encode() { return compress(update, options, out, scratch); }

  std::uint32_t dimension;
  Options options;
  std::vector<std::int16_t> values;
  Noised update;
  std::vector<std::uint8_t> out;
  std::vector<std::int16_t> scratch;
};

void bench_compress(benchmark::State& state) {
  Bench bench(state);
  for (auto _ : state) benchmark::DoNotOptimize(bench.encode());
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetLabel(name_of(bench.options.mode));
}
BENCHMARK(bench_compress)->Apply(for_each_mode);

void bench_decode(benchmark::State& state) {
  Bench bench(state);
  const Compressed sent = bench.encode().value();
  std::vector<std::int32_t> decoded(decoded_elements(bench.dimension, bench.options.mode));
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode(sent.bytes(), bench.dimension, bench.options, decoded));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetLabel(name_of(bench.options.mode));
}
BENCHMARK(bench_decode)->Apply(for_each_mode);

void bench_error_feedback(benchmark::State& state) {
  const auto dimension = static_cast<std::uint32_t>(state.range(0));
  auto values = make_values(dimension);
  const Noised update = make_update(values);
  std::vector<std::uint8_t> out(max_compressed_bytes(dimension, options_of(dimension)));
  const Compressed sent = compress(update, options_of(dimension), out).value();
  std::vector<std::int16_t> memory(dimension);
  ErrorFeedback feedback(memory);
  auto sums = values;
  for (auto _ : state) {
    benchmark::DoNotOptimize(feedback.retain(update, sent, options_of(dimension)));
    Delta delta{sums, -14, 1};
    benchmark::DoNotOptimize(feedback.add_to(delta));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bench_error_feedback)->Arg(2410);

}  // namespace
}  // namespace skep::compress
