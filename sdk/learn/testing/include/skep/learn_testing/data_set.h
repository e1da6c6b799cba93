// Labelled samples of the data sets that tests, the demo and benchmarks learn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "skep/core/permutation.h"
#include "skep/core/prng.h"

namespace skep::learn_testing {

struct Sample {
  std::vector<std::int16_t> features;  ///< In units of the data set's input exponent.
  std::uint16_t label = 0;
};

struct Split {
  std::vector<Sample> training;
  std::vector<Sample> test;
};

/// A pseudo-random `test_percent` of the samples for testing, the rest for training.
inline Split split_samples(const std::vector<Sample>& samples, std::uint32_t seed,
                           std::uint32_t test_percent = 20) {
  const Permutation order(static_cast<std::uint32_t>(samples.size()), seed);
  const auto test_count = static_cast<std::uint32_t>(samples.size() * test_percent / 100);
  Split split;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    (i < test_count ? split.test : split.training).push_back(samples[order(i)]);
  }
  return split;
}

/// Calls step(sample) for each sample of each epoch in the order of LocalRound with that seed: two
/// trainers that get the same seed see the same.
template <typename Step>
void for_each_sample(const std::vector<Sample>& samples, std::uint32_t seed, std::uint32_t epochs,
                     Step step) {
  for (std::uint32_t epoch = 0; epoch < epochs; ++epoch) {
    const Permutation order(static_cast<std::uint32_t>(samples.size()), mix_seed(seed, epoch));
    for (std::uint32_t i = 0; i < order.size(); ++i) step(samples[order(i)]);
  }
}

/// Share of the samples, 0 … 1, whose label predict(sample) says.
template <typename Predict>
double accuracy_of(const std::vector<Sample>& samples, Predict predict) {
  std::size_t correct = 0;
  for (const Sample& sample : samples) correct += predict(sample) == sample.label ? 1 : 0;
  return static_cast<double>(correct) / static_cast<double>(samples.size());
}

}  // namespace skep::learn_testing
