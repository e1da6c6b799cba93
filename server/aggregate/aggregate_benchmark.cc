// Time to sum and average n updates of dimension d, one in ten elements sent.
#include <benchmark/benchmark.h>

#include "skep/aggregate/accumulate.h"
#include "skep/aggregate/average.h"
#include "skep/core/prng.h"
#include "skep/learn/memory_plan.h"

namespace skep::intake {

/// Stands in for intake's, which the benchmark does not link.
class Validator {
 public:
  static server::Valid make(server::SparseDelta delta) {
    server::Valid valid;
    valid.delta_ = std::move(delta);
    valid.sample_count_ = 100;
    return valid;
  }
};

}  // namespace skep::intake

namespace skep::aggregate {
namespace {

/// One Dense layer of 64 outputs, of about `dimension` parameters.
ModelSpec model_of(std::int64_t dimension) {
  ModelSpec spec;
  spec.inputs = static_cast<std::uint16_t>(dimension / 64);
  spec.layer_count = 1;
  spec.layers[0] = {LayerKind::kDense, 64};
  return spec;
}

void BM_Aggregate(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const ModelSpec spec = model_of(state.range(1));
  const auto plan = learn::plan_memory(spec);
  const std::vector<std::uint8_t> base(plan->weights_blob_bytes);
  Xorshift32 random(1);
  // A few updates used over and over: intake makes them one at a time, they are never all there.
  std::vector<server::Valid> updates;
  for (int i = 0; i < 16; ++i) {
    server::SparseDelta delta{
        .dimension = plan->trainable_count, .exponent = -20, .indices = {}, .values = {}};
    for (std::uint32_t p = random.next() % 10; p < plan->trainable_count;
         p += 1 + random.next() % 19) {
      delta.indices.push_back(p);
      delta.values.push_back(static_cast<std::int16_t>(random.next()));
    }
    updates.push_back(intake::Validator::make(std::move(delta)));
  }
  for (auto _ : state) {
    Accumulator sum(plan->trainable_count);
    for (std::size_t i = 0; i < count; ++i) {
      if (sum.add(updates[i % updates.size()]) != Status::kOk) state.SkipWithError("add");
    }
    const auto candidate = average(sum.total(), spec, base);
    if (!candidate.ok()) state.SkipWithError(to_string(candidate.status()));
    benchmark::DoNotOptimize(candidate);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Aggregate)
    ->ArgNames({"n", "d"})
    ->ArgsProduct({{10, 100, 1000, 10000}, {2410, 25600, 256000}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace skep::aggregate
