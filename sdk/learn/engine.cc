#include "skep/learn/engine.h"

#include <algorithm>
#include <cstring>

#include "bound_layer.h"
#include "convolution.h"
#include "dense.h"
#include "engine_internal.h"
#include "loss.h"
#include "pooling.h"
#include "skep/core/prng.h"

namespace skep::learn {

using internal::BoundLayer;
using internal::Vector;

namespace {

int run_layer(const BoundLayer& layer, const Vector& input) {
  // Without convolutions nothing refers to the others, and the linker leaves them out.
  if (!kHasConvolutions || layer.plan.kind == LayerKind::kDense) return run_dense(layer, input);
  return internal::is_convolution(layer.plan.kind) ? run_convolution(layer, input)
                                                   : run_pool(layer, input);
}

}  // namespace

Engine::Engine(const ModelSpec& spec, Purpose purpose, std::byte* memory,
               const Optimizer& optimizer)
    : spec_(spec),
      purpose_(purpose),
      optimizer_(optimizer),
      output_count_(spec.outputs()),
      memory_(memory),
      at_(internal::lay_out(spec, purpose, optimizer)) {
  static_assert(sizeof(State) == internal::kEngineStateBytes);
  const internal::Totals totals = internal::count(spec);
  layer_count_ = static_cast<std::uint16_t>(totals.layer_count);
  first_trained_ = static_cast<std::uint16_t>(totals.first_trained);
  output_values_ = layer(layer_count_ - 1U).output;
}

Result<Engine> Engine::create(const ModelSpec& spec, Purpose purpose, std::span<std::byte> memory,
                              const Optimizer& optimizer) {
  SKEP_TRY(plan_memory(spec, optimizer).status());
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % 8 != 0) return Status::kInvalidArgument;
  Engine engine(spec, purpose, memory.data(), optimizer);
  if (memory.size() < engine.at_.size_bytes) return Status::kNoMemory;
  std::memset(memory.data(), 0, engine.at_.size_bytes);
  engine.seed_rounding(0);
  return engine;
}

Engine::State& Engine::state() const { return *array_at<State>(memory_, 0); }

BoundLayer Engine::bind(const FusedLayer& layer) const {
  const bool training = purpose_ == Purpose::kTraining;
  const bool trains = training && layer.trainable;
  const bool momentum = trains && optimizer_.momentum_q15 != 0;
  const bool proximal = trains && optimizer_.proximal_mu_q16 != 0;
  const auto int16_at = [this](std::uint32_t array, std::uint32_t first) {
    return array_at<std::int16_t>(memory_, array) + first;
  };
  const auto int32_at = [this](std::uint32_t array, std::uint32_t first) {
    return array_at<std::int32_t>(memory_, array) + first;
  };
  const std::uint32_t weight = layer.first_trainable_weight;
  const std::uint32_t bias = layer.first_trainable_bias;
  const bool has_weights = layer.weight_count != 0;
  return {
      .plan = layer,
      .weights = int16_at(at_.weights, layer.first_weight),
      .biases = int32_at(at_.biases, layer.first_bias),
      .weight_exponent =
          has_weights ? int16_at(at_.weight_exponents, layer.parameter_index) : nullptr,
      .velocities = momentum ? int16_at(at_.velocities, weight) : nullptr,
      .bias_velocities = momentum ? int32_at(at_.bias_velocities, bias) : nullptr,
      .anchors = proximal ? int16_at(at_.anchors, weight) : nullptr,
      .bias_anchors = proximal ? int32_at(at_.bias_anchors, bias) : nullptr,
      .input_exponent = training ? int16_at(at_.input_exponents, layer.fused_index) : nullptr,
      // Sums in the scratch separate a layer's input from its output: where nobody looks back,
      // one buffer is enough.
      .output = training && layer.fused_index >= first_trained_
                    ? int16_at(at_.trained_activations, layer.first_trained_output)
                    : int16_at(at_.activations, 0),
      .scratch = memory_ + at_.scratch,
  };
}

BoundLayer Engine::layer(std::uint32_t fused_index) const {
  auto layer = FusedLayers(spec_).begin();
  for (std::uint32_t i = 0; i < fused_index; ++i) ++layer;
  return bind(*layer);
}

int Engine::output_exponent() const { return state().output_exponent; }

void Engine::seed_rounding(std::uint32_t seed) { state().random = Xorshift32(seed).next(); }

void Engine::run(std::span<const std::int16_t> features) {
  Vector vector{features.data(), spec_.input_exponent};
  for (const FusedLayer& plan : FusedLayers(spec_)) {
    const BoundLayer layer = bind(plan);
    if (layer.input_exponent != nullptr) {
      *layer.input_exponent = static_cast<std::int16_t>(vector.exponent);
    }
    vector = {layer.output, run_layer(layer, vector)};
  }
  state().output_exponent = static_cast<std::int16_t>(vector.exponent);
  state().has_output = 1;
}

Result<Output> Engine::forward(std::span<const std::int16_t> features) {
  if (features.size() != spec_.inputs) return Status::kInvalidArgument;
  run(features);
  return output();
}

Result<std::uint32_t> Engine::evaluate(std::span<const std::int16_t> features,
                                       std::uint16_t label) {
  if (features.size() != spec_.inputs || !internal::is_label(spec_.loss, output_count_, label))
    return Status::kInvalidArgument;
  run(features);
  return internal::loss_q16({spec_, output(), {features.data(), spec_.input_exponent}, label});
}

Result<std::uint16_t> Engine::predicted_class() const {
  if (spec_.loss == Loss::kMeanSquaredError) return Status::kUnsupported;
  if (state().has_output == 0) return Status::kInvalidArgument;
  const std::span<const std::int16_t> logits = output().values;
  if (spec_.loss == Loss::kBinaryCrossEntropy) {
    std::uint32_t targets = 0;
    for (std::uint32_t i = 0; i < logits.size(); ++i) targets |= (logits[i] > 0 ? 1U : 0U) << i;
    return static_cast<std::uint16_t>(targets);
  }
  return static_cast<std::uint16_t>(std::max_element(logits.begin(), logits.end()) -
                                    logits.begin());
}

}  // namespace skep::learn
