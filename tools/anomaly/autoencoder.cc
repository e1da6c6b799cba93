#include "skep/anomaly/autoencoder.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "skep/checked/take.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/owned_reference_network.h"
#include "skep/learn_testing/specs.h"

namespace skep::anomaly {
namespace {

using checked::require;
using checked::take;

constexpr learn::LearningRate kRate{.mantissa = 1, .shift = 5};

class IntegerAutoencoder final : public Autoencoder {
 public:
  IntegerAutoencoder(const ModelSpec& spec, std::uint32_t seed)
      : memory_(take(learn::plan_memory(spec), "plan").training_bytes / sizeof(std::uint64_t) + 1),
        engine_(take(learn::Engine::create(spec, learn::Purpose::kTraining,
                                           std::as_writable_bytes(std::span(memory_))),
                     "engine")) {
    require(engine_.initialize(mix_seed(seed, 1)), "first weights");
    engine_.seed_rounding(mix_seed(seed, 2));
  }

  std::uint32_t loss_q16(std::span<const std::int16_t> features) override {
    return take(engine_.evaluate(features, 0), "loss");
  }
  void train(std::span<const std::int16_t> features) override {
    take(engine_.train_step(features, 0, kRate), "training step");
  }
  [[nodiscard]] std::vector<std::uint8_t> weights() const {
    std::vector<std::uint8_t> blob(
        take(learn::plan_memory(engine_.spec()), "plan").weights_blob_bytes);
    require(engine_.store(blob), "weights");
    return blob;
  }

 private:
  std::vector<std::uint64_t> memory_;
  learn::Engine engine_;
};

class FloatAutoencoder final : public Autoencoder {
 public:
  FloatAutoencoder(const ModelSpec& spec, std::uint32_t seed)
      : spec_(spec), network_(spec, IntegerAutoencoder(spec, seed).weights()) {}

  std::uint32_t loss_q16(std::span<const std::int16_t> features) override {
    network_->forward(learn_testing::values_of<float>(spec_, features));
    const double loss = std::round(std::ldexp(static_cast<double>(network_->loss(0)), 16));
    return static_cast<std::uint32_t>(std::min(loss, static_cast<double>(UINT32_MAX)));
  }
  void train(std::span<const std::int16_t> features) override {
    network_->train_step(learn_testing::values_of<float>(spec_, features), 0,
                         std::ldexp(static_cast<float>(kRate.mantissa), -kRate.shift));
  }

 private:
  ModelSpec spec_;
  learn_testing::OwnedReferenceNetwork<float> network_;
};

}  // namespace

ModelSpec autoencoder_spec(std::uint16_t inputs, std::int8_t input_exponent) {
  return learn_testing::spec_of(
      {1, 1, inputs}, input_exponent, Loss::kMeanSquaredError,
      {{LayerKind::kDense, 1}, {LayerKind::kTanh, 1}, {LayerKind::kDense, inputs}});
}

std::unique_ptr<Autoencoder> make_integer_autoencoder(const ModelSpec& spec, std::uint32_t seed) {
  return std::make_unique<IntegerAutoencoder>(spec, seed);
}

std::unique_ptr<Autoencoder> make_float_autoencoder(const ModelSpec& spec, std::uint32_t seed) {
  return std::make_unique<FloatAutoencoder>(spec, seed);
}

}  // namespace skep::anomaly
