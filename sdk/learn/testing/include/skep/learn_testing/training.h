// The integer engine and its float32 peer on the same data: first weights, order and rate alike.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "skep/learn/engine.h"
#include "skep/learn_testing/data_set.h"
#include "skep/learn_testing/owned_reference_network.h"

namespace skep::learn_testing {

/// An engine on memory of its own. Throws std::invalid_argument if the spec is no model.
class OwnedEngine {
 public:
  explicit OwnedEngine(const ModelSpec& spec, learn::Purpose purpose = learn::Purpose::kTraining,
                       const learn::Optimizer& optimizer = {})
      : memory_(bytes_for(spec, purpose, optimizer) / sizeof(std::uint64_t) + 1),
        engine_(*learn::Engine::create(spec, purpose, std::as_writable_bytes(std::span(memory_)),
                                       optimizer)) {}

  learn::Engine* operator->() { return &engine_; }
  learn::Engine& operator*() { return engine_; }

  [[nodiscard]] std::vector<std::uint8_t> weights() const {
    std::vector<std::uint8_t> blob(learn::plan_memory(engine_.spec())->weights_blob_bytes);
    if (engine_.store(blob) != Status::kOk) throw std::logic_error("the weights have another size");
    return blob;
  }

 private:
  static std::uint32_t bytes_for(const ModelSpec& spec, learn::Purpose purpose,
                                 const learn::Optimizer& optimizer) {
    const Result<learn::MemoryPlan> plan = learn::plan_memory(spec, optimizer);
    if (!plan.ok()) throw std::invalid_argument("no model that can run");
    return purpose == learn::Purpose::kTraining ? plan->training_bytes : plan->inference_bytes;
  }

  std::vector<std::uint64_t> memory_;
  learn::Engine engine_;
};

/// The first weights of `skepctl init --seed`, as a canonical blob.
inline std::vector<std::uint8_t> initial_weights(const ModelSpec& spec, std::uint32_t seed) {
  OwnedEngine engine(spec, learn::Purpose::kInference);
  if (engine->initialize(seed) != Status::kOk) throw std::logic_error("initialize");
  return engine.weights();
}

inline float value_of(learn::LearningRate rate) {
  return std::ldexp(static_cast<float>(rate.mantissa), -rate.shift);
}

/// One pass or more of SGD at batch 1, in the order of for_each_sample().
inline void train(ReferenceNetwork<float>& network, const std::vector<Sample>& samples,
                  std::uint32_t seed, std::uint32_t epochs, learn::LearningRate rate) {
  for_each_sample(samples, seed, epochs, [&](const Sample& sample) {
    network.train_step(values_of<float>(network.spec(), sample.features), sample.label,
                       value_of(rate));
  });
}

/// The same with the engine. Throws std::invalid_argument if a sample does not fit the model.
inline void train(learn::Engine& engine, const std::vector<Sample>& samples, std::uint32_t seed,
                  std::uint32_t epochs, learn::LearningRate rate) {
  engine.seed_rounding(seed);
  for_each_sample(samples, seed, epochs, [&](const Sample& sample) {
    if (!engine.train_step(sample.features, sample.label, rate).ok()) {
      throw std::invalid_argument("a sample does not fit the model");
    }
  });
}

inline double accuracy_of(ReferenceNetwork<float>& network, const std::vector<Sample>& samples) {
  return accuracy_of(samples, [&](const Sample& sample) {
    network.forward(values_of<float>(network.spec(), sample.features));
    return network.predicted_class();
  });
}

inline double accuracy_of(learn::Engine& engine, const std::vector<Sample>& samples) {
  return accuracy_of(samples, [&](const Sample& sample) {
    const bool ran = engine.forward(sample.features).ok();
    const Result<std::uint16_t> label = engine.predicted_class();
    if (!ran || !label.ok()) throw std::invalid_argument("a sample does not fit the model");
    return *label;
  });
}

}  // namespace skep::learn_testing
