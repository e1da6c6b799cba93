// What learning costs on this core, in instructions and bytes: three models of usual sizes, in the
// engine and in float32.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/benchmark_models.h"
#include "support/float_peer.h"
#include "support/test_board.h"

namespace skep::firmware_test {
namespace {

using learn::Engine;
using learn::MemoryPlan;

constexpr ModelSpec kDigits = learn_testing::digits_mlp(-15);
constexpr ModelSpec kActivity = learn_testing::activity_conv1d();
constexpr ModelSpec kKeyword = learn_testing::keyword_ds_cnn();
constexpr learn::LearningRate kRate{1, 6};
constexpr float kFloatRate = 1.0F / 64;
constexpr std::uint32_t kSamples = 4;
constexpr std::byte kCanary{0xA5};

constexpr std::size_t most(std::size_t a, std::size_t b, std::size_t c) {
  return std::max(std::max(a, b), c);
}
constexpr std::size_t kWeightsBytes = most(learn::plan_memory(kDigits)->weights_blob_bytes,
                                           learn::plan_memory(kActivity)->weights_blob_bytes,
                                           learn::plan_memory(kKeyword)->weights_blob_bytes);
constexpr std::size_t kMostFeatures = most(kDigits.inputs, kActivity.inputs, kKeyword.inputs);

// The float32 keyword model needs more RAM than the images of microcontrollers have: the memory
// that plays the flash elsewhere is free here.
[[gnu::section(".flash_area"), gnu::aligned(8)]] std::array<std::byte, 480 * 1024> arena;
std::array<std::uint8_t, kWeightsBytes> weights;
std::array<std::int16_t, kMostFeatures> sample;

// Random readings, all of them there: nothing is skipped for zeros.
std::span<const std::int16_t> make_sample(const ModelSpec& spec, std::uint32_t index) {
  Xorshift32 random(index + 1);
  const std::span<std::int16_t> features(sample.data(), spec.inputs);
  for (std::int16_t& feature : features) feature = static_cast<std::int16_t>(random.next() >> 16U);
  return features;
}

std::uint16_t label_of(const ModelSpec& spec, std::uint32_t index) {
  return static_cast<std::uint16_t>(index % spec.outputs());
}

// Mean instructions of work(features, label).
template <typename Work>
std::uint64_t mean_cost(const ModelSpec& spec, Work work) {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    const auto features = make_sample(spec, i);
    sum += instructions_of([&] { work(features, label_of(spec, i)); });
  }
  return sum / kSamples;
}

// One past the highest byte that is not what `fill` left.
std::size_t touched_bytes() {
  std::size_t end = arena.size();
  while (end > 0 && arena[end - 1] == kCanary) --end;
  return end;
}

void count_engine(std::string_view name, const ModelSpec& spec) {
  const MemoryPlan plan = take(learn::plan_memory(spec), name);
  std::fill(arena.begin(), arena.end(), kCanary);
  Engine engine = take(Engine::create(spec, learn::Purpose::kTraining, arena), name);
  require(engine.initialize(1), name);
  require(engine.store(std::span(weights).first(plan.weights_blob_bytes)), name);
  const std::uint64_t forward = mean_cost(spec, [&](auto features, std::uint16_t) {
    require(engine.forward(features).status(), name);
  });
  const std::uint64_t training = mean_cost(spec, [&](auto features, std::uint16_t label) {
    require(engine.train_step(features, label, kRate).status(), name);
  });
  report({"learning",
          name,
          {"forward", forward},
          {"training", training},
          {"forward_macs", plan.forward_macs},
          {"training_macs", plan.training_macs},
          {"parameters", plan.parameter_count},
          {"inference_plan_bytes", plan.inference_bytes},
          {"training_plan_bytes", plan.training_bytes},
          {"training_touched_bytes", touched_bytes()}});
}

// From the weights that count_engine() left.
void count_float(std::string_view name, const ModelSpec& spec) {
  const MemoryPlan plan = take(learn::plan_memory(spec), name);
  const std::uint32_t bytes =
      make_float_peer(spec, Bytes(weights).first(plan.weights_blob_bytes), arena);
  require(bytes != 0, "float32 fits the arena");
  const std::uint64_t forward =
      mean_cost(spec, [](auto features, std::uint16_t) { (void)run_float_peer(features); });
  const std::uint64_t training = mean_cost(spec, [](auto features, std::uint16_t label) {
    (void)train_float_peer(features, label, kFloatRate);
  });
  report({"float32",
          name,
          {"fpu", float_peer_has_fpu() ? 1U : 0U},
          {"forward", forward},
          {"training", training},
          {"training_bytes", bytes}});
}

void count(std::string_view name, const ModelSpec& spec) {
  count_engine(name, spec);
  count_float(name, spec);
}

}  // namespace
}  // namespace skep::firmware_test

int main() {
  using namespace skep::firmware_test;
  count("digits_mlp_64_32_10", kDigits);
  count("activity_conv1d", kActivity);
  count("keyword_ds_cnn", kKeyword);
  finish(true);
}
