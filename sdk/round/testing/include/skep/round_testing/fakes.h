// What a Device stands on, in a form that tests control.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "skep/platform.h"

namespace skep::round_testing {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ms() override { return now_ms_; }
  void advance(std::uint64_t milliseconds) { now_ms_ += milliseconds; }

 private:
  std::uint64_t now_ms_ = 1'000'000;
};

/// Predictable bytes; kNoEntropy while `broken`.
class FakeEntropy final : public Entropy {
 public:
  Status fill(MutableBytes out) override {
    if (broken) return Status::kNoEntropy;
    std::ranges::generate(out, [this] { return static_cast<std::uint8_t>(generator_()); });
    return Status::kOk;
  }
  bool broken = false;

 private:
  std::mt19937 generator_{7};
};

struct Sample {
  std::vector<std::int16_t> features;
  std::uint16_t label = 0;
};

class VectorSamples final : public SampleSource {
 public:
  explicit VectorSamples(std::vector<Sample> content) : samples(std::move(content)) {}

  [[nodiscard]] std::uint32_t count() override {
    return static_cast<std::uint32_t>(samples.size());
  }
  Status read(std::uint32_t index, std::span<std::int16_t> features,
              std::uint16_t& label) override {
    if (index >= samples.size() || features.size() != samples[index].features.size()) {
      return Status::kInvalidArgument;
    }
    std::ranges::copy(samples[index].features, features.begin());
    label = samples[index].label;
    return Status::kOk;
  }

  std::vector<Sample> samples;
};

/// Classes that a linear model can tell apart: feature `label` is large, the others are noise.
/// The same for the same arguments on every machine (std::mt19937 is specified to the bit).
inline std::vector<Sample> separable_samples(std::uint32_t count, std::uint16_t feature_count,
                                             std::uint16_t class_count, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<Sample> samples(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    Sample& sample = samples[i];
    sample.label = static_cast<std::uint16_t>(i % class_count);
    for (std::uint16_t f = 0; f < feature_count; ++f) {
      const auto noise = static_cast<int>(random() % 4000U) - 2000;
      sample.features.push_back(
          static_cast<std::int16_t>(noise + (f % class_count == sample.label ? 24'000 : 0)));
    }
  }
  return samples;
}

}  // namespace skep::round_testing
