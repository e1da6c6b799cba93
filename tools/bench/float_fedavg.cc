#include "float_fedavg.h"

#include <stdexcept>

#include "skep/core/permutation.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/float_mlp.h"
#include "skep/learn_testing/specs.h"

namespace skep::bench {
namespace {

using demo::Digit;
using learn_testing::FloatMlp;

// The first model of `skepctl init --seed`, as a float network.
FloatMlp initial_model(std::uint32_t seed) {
  const ModelSpec spec = learn_testing::mlp_spec({64, 32, 10}, learn_testing::kDigitsInputExponent);
  const learn::MemoryPlan plan = *learn::plan_memory(spec);
  std::vector<std::uint64_t> memory(plan.inference_bytes / 8 + 1);
  Result<learn::Engine> engine = learn::Engine::create(spec, learn::Purpose::kInference,
                                                       std::as_writable_bytes(std::span(memory)));
  std::vector<std::uint8_t> blob(plan.weights_blob_bytes);
  if (!engine.ok() || engine->initialize(seed) != Status::kOk ||
      engine->store(blob) != Status::kOk) {
    throw std::logic_error("the digits model does not run");
  }
  const std::vector<std::size_t> widths{64, 32, 10};
  FloatMlp model(widths);
  learn_testing::load_weights_blob(model, blob);
  return model;
}

std::vector<float> pixels_of(const Digit& digit) {
  std::vector<float> pixels;
  for (const std::int16_t pixel : digit.pixels) pixels.push_back(static_cast<float>(pixel) / 16.0F);
  return pixels;
}

// The epochs of LocalRound: the same samples in the same order.
FloatMlp train_locally(FloatMlp model, const std::vector<Digit>& samples,
                       const demo::RoundRecipe& recipe, std::uint32_t round_seed) {
  const float rate = static_cast<float>(recipe.learning_rate_mantissa) /
                     static_cast<float>(1U << recipe.learning_rate_shift);
  for (std::uint32_t epoch = 0; epoch < recipe.local_epochs; ++epoch) {
    const Permutation order(static_cast<std::uint32_t>(samples.size()),
                            mix_seed(round_seed, epoch));
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      const Digit& digit = samples[order(i)];
      model.train_step(pixels_of(digit), digit.label, rate);
    }
  }
  return model;
}

// A model's weights in one row, and back.
std::vector<float*> weights_of(FloatMlp& model) {
  std::vector<float*> weights;
  for (FloatMlp::Layer& layer : model.layers()) {
    for (float& weight : layer.weights) weights.push_back(&weight);
    for (float& bias : layer.biases) weights.push_back(&bias);
  }
  return weights;
}

FloatMlp average_of_round(const FloatMlp& base, const demo::FederatedDigits& digits,
                          const demo::RoundRecipe& recipe, std::uint32_t federation_seed,
                          std::uint32_t round) {
  FloatMlp average = base;
  const std::vector<float*> target = weights_of(average);
  std::vector<double> sums(target.size());
  double samples = 0;
  for (std::uint32_t i = 0; i < digits.devices.size(); ++i) {
    // As the demo gives skep-device its --training-seed, and Device each round its own.
    const std::uint32_t seed = mix_seed(mix_seed(federation_seed, i), round);
    FloatMlp local = train_locally(base, digits.devices[i], recipe, seed);
    const auto count = static_cast<double>(digits.devices[i].size());
    const std::vector<float*> weights = weights_of(local);
    for (std::size_t w = 0; w < sums.size(); ++w) sums[w] += count * double{*weights[w]};
    samples += count;
  }
  for (std::size_t w = 0; w < sums.size(); ++w) *target[w] = static_cast<float>(sums[w] / samples);
  return average;
}

double accuracy_of(FloatMlp& model, const std::vector<Digit>& held_out) {
  std::size_t correct = 0;
  for (const Digit& digit : held_out) {
    model.forward(pixels_of(digit));
    correct += model.predicted_class() == digit.label ? 1 : 0;
  }
  return static_cast<double>(correct) / static_cast<double>(held_out.size());
}

}  // namespace

std::vector<double> float_fedavg_curve(const demo::FederatedDigits& digits,
                                       const demo::RoundRecipe& recipe, std::uint32_t seed) {
  std::vector<double> curve;
  FloatMlp model = initial_model(seed);
  for (std::uint32_t round = 1; round <= recipe.max_rounds; ++round) {
    model = average_of_round(model, digits, recipe, seed, round);
    curve.push_back(accuracy_of(model, digits.held_out));
  }
  return curve;
}

}  // namespace skep::bench
