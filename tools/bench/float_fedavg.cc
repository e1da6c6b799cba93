#include "float_fedavg.h"

#include <memory>

#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/benchmark_models.h"
#include "skep/learn_testing/training.h"

namespace skep::bench {
namespace {

using FloatModel = learn_testing::OwnedReferenceNetwork<float>;

FloatModel average_of_round(const FloatModel& base, const demo::FederatedData& digits,
                            const demo::RoundRecipe& recipe, std::uint32_t federation_seed,
                            std::uint32_t round) {
  const learn::LearningRate rate{static_cast<std::uint16_t>(recipe.learning_rate_mantissa),
                                 static_cast<std::uint8_t>(recipe.learning_rate_shift)};
  std::vector<double> sums(base->parameters().size());
  double samples = 0;
  for (std::uint32_t i = 0; i < digits.devices.size(); ++i) {
    // As the demo gives skep-device its --training-seed, and Device each round its own.
    const std::uint32_t seed = mix_seed(mix_seed(federation_seed, i), round);
    FloatModel local = base;
    learn_testing::train(*local, digits.devices[i], seed, recipe.local_epochs, rate);
    const auto count = static_cast<double>(digits.devices[i].size());
    for (std::size_t w = 0; w < sums.size(); ++w) sums[w] += count * double{local->parameters()[w]};
    samples += count;
  }
  FloatModel average = base;
  for (std::size_t w = 0; w < sums.size(); ++w) {
    average->parameters()[w] = static_cast<float>(sums[w] / samples);
  }
  return average;
}

}  // namespace

std::vector<double> float_fedavg_curve(const demo::FederatedData& digits,
                                       const demo::RoundRecipe& recipe, std::uint32_t seed) {
  std::vector<double> curve;
  const ModelSpec spec = learn_testing::digits_mlp(learn_testing::kDigitsInputExponent);
  auto model = std::make_unique<FloatModel>(spec, learn_testing::initial_weights(spec, seed));
  for (std::uint32_t round = 1; round <= recipe.max_rounds; ++round) {
    model = std::make_unique<FloatModel>(average_of_round(*model, digits, recipe, seed, round));
    curve.push_back(learn_testing::accuracy_of(**model, digits.held_out));
  }
  return curve;
}

}  // namespace skep::bench
