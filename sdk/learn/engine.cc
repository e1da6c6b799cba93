#include "skep/learn/engine.h"

#include <algorithm>
#include <cstring>

#include "engine_internal.h"
#include "fixed_point.h"
#include "kernels.h"
#include "skep/core/prng.h"
#include "softmax.h"

namespace skep::learn {
namespace {

template <typename T>
T* array_at(std::byte* memory, std::uint32_t offset) {
  return reinterpret_cast<T*>(memory + offset);
}

}  // namespace

Engine::Engine(const ModelSpec& spec, Purpose purpose, std::byte* memory)
    : spec_(spec),
      purpose_(purpose),
      dense_count_(internal::count(spec).dense_count),
      memory_(memory),
      at_(internal::lay_out(spec, purpose)) {
  static_assert(sizeof(State) == internal::kEngineStateBytes);
}

Result<Engine> Engine::create(const ModelSpec& spec, Purpose purpose, std::span<std::byte> memory) {
  if (const Result<MemoryPlan> plan = plan_memory(spec); !plan.ok()) return plan.status();
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % 8 != 0) return Status::kInvalidArgument;
  Engine engine(spec, purpose, memory.data());
  if (memory.size() < engine.at_.size_bytes) return Status::kNoMemory;
  std::memset(memory.data(), 0, engine.at_.size_bytes);
  engine.seed_rounding(0);
  return engine;
}

Engine::State& Engine::state() const { return *array_at<State>(memory_, 0); }

std::int64_t* Engine::accumulators() const {
  return array_at<std::int64_t>(memory_, at_.accumulators);
}

Engine::Layer Engine::bind(const LayerWeightsLayout& layout, std::uint32_t dense_index) const {
  const bool training = purpose_ == Purpose::kTraining;
  const std::uint32_t next = layout.layer_index + 1;
  std::int16_t* const activations = array_at<std::int16_t>(memory_, at_.activations);
  return {
      .inputs = layout.inputs,
      .outputs = layout.outputs,
      .weights = array_at<std::int16_t>(memory_, at_.weights) + layout.first_weight,
      .biases = array_at<std::int32_t>(memory_, at_.biases) + layout.first_bias,
      .exponent = array_at<std::int16_t>(memory_, at_.weight_exponents) + dense_index,
      .input_exponent =
          training ? array_at<std::int16_t>(memory_, at_.input_exponents) + dense_index : nullptr,
      // Accumulators separate a layer's input from its output, so inference needs one buffer.
      .output = training ? activations + layout.first_bias : activations,
      .rectified = next < spec_.layer_count && spec_.layers[next].kind == LayerKind::kRelu,
  };
}

Engine::Layer Engine::layer(std::uint32_t dense_index) const {
  auto layout = DenseLayers(spec_).begin();
  for (std::uint32_t i = 0; i < dense_index; ++i) ++layout;
  return bind(*layout, dense_index);
}

std::span<const std::int16_t> Engine::logits() const {
  return {layer(dense_count_ - 1).output, spec_.outputs()};
}

void Engine::seed_rounding(std::uint32_t seed) { state().random = Xorshift32(seed).next(); }

int normalize(const std::int64_t* values, std::uint32_t n, int exponent, int min_exponent,
              std::int16_t* out) {
  std::uint64_t bits = 0;
  for (std::uint32_t i = 0; i < n; ++i) bits |= magnitude_bits(values[i]);
  int shift = bits == 0 ? 0 : significant_bits(bits) - 15;
  shift = std::max(shift, min_exponent - exponent);
  if (shift > 62) {
    std::fill_n(out, n, std::int16_t{0});
  } else if (shift > 0) {
    // Rounding up can carry the largest into a sixteenth bit: 32768 becomes 32767.
    const std::int64_t half = std::int64_t{1} << (shift - 1);
    for (std::uint32_t i = 0; i < n; ++i) {
      out[i] = saturate<std::int16_t>(static_cast<std::int32_t>((values[i] + half) >> shift));
    }
  } else {
    // |values| < 2^15 here, and so are the products.
    const std::int32_t factor = std::int32_t{1} << -shift;
    for (std::uint32_t i = 0; i < n; ++i) {
      out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(values[i]) * factor);
    }
  }
  return exponent + shift;
}

int Engine::run_layer(const Layer& layer, const Vector& input) const {
  // A product has the exponent (weights' + input's), a bias (weights' − kBiasFractionBits). They
  // meet at the finer of the two as far as int64 allows: |product sum| ≤ 2^46 may be lifted by
  // 16 bits, and kMinActivationExponent bounds the lift of a bias to 20.
  const int coarser = input.exponent + kBiasFractionBits;
  const int product_lift = std::clamp(coarser, 0, 16);
  const int bias_shift = product_lift - coarser;
  std::int64_t* const sums = accumulators();
  const std::int16_t* row = layer.weights;
  for (std::uint32_t j = 0; j < layer.outputs; ++j, row += layer.inputs) {
    const std::int64_t products = kernels::dot(row, input.values, layer.inputs);
    const std::int64_t sum =
        products * (std::int64_t{1} << product_lift) + scale(layer.biases[j], bias_shift);
    sums[j] = layer.rectified ? std::max<std::int64_t>(sum, 0) : sum;
  }
  return normalize(sums, layer.outputs, *layer.exponent + input.exponent - product_lift,
                   kMinActivationExponent, layer.output);
}

void Engine::run(std::span<const std::int16_t> features) {
  Vector vector{features.data(), spec_.input_exponent};
  std::uint32_t index = 0;
  for (const LayerWeightsLayout& layout : DenseLayers(spec_)) {
    const Layer layer = bind(layout, index++);
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
  return Output{logits(), state().output_exponent};
}

Result<std::uint32_t> Engine::loss_q16(std::uint16_t label) const {
  if (label >= spec_.outputs() || state().has_output == 0) return Status::kInvalidArgument;
  const int exponent = state().output_exponent;
  const std::uint64_t sum = sum_exponentials(logits(), exponent, nullptr);
  return cross_entropy_q16(logits(), exponent, sum, label);
}

Result<std::uint16_t> Engine::predicted_class() const {
  if (state().has_output == 0) return Status::kInvalidArgument;
  const std::span<const std::int16_t> outputs = logits();
  return static_cast<std::uint16_t>(std::max_element(outputs.begin(), outputs.end()) -
                                    outputs.begin());
}

}  // namespace skep::learn
