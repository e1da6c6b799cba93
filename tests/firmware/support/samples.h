// Samples that are the same on every machine, in static memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "skep/core/prng.h"
#include "skep/platform.h"

namespace skep::firmware_test {

/// `kCount` samples of `kFeatures` features.
template <std::size_t kCount, std::size_t kFeatures>
class StaticSamples final : public SampleSource {
 public:
  using Features = std::array<std::int16_t, kFeatures>;

  [[nodiscard]] std::uint32_t count() override { return kCount; }

  Status read(std::uint32_t index, std::span<std::int16_t> out, std::uint16_t& label) override {
    if (index >= kCount || out.size() != kFeatures) return Status::kInvalidArgument;
    std::copy(features[index].begin(), features[index].end(), out.begin());
    label = labels[index];
    return Status::kOk;
  }

  std::array<Features, kCount> features{};
  std::array<std::uint16_t, kCount> labels{};
};

/// The samples of round_testing::separable_samples(), without its heap.
template <std::size_t kCount, std::size_t kFeatures>
void fill_separable(StaticSamples<kCount, kFeatures>& samples, std::uint16_t class_count) {
  static std::mt19937 random;  // 2.5 KB: not for the stack
  random.seed(1);
  for (std::size_t i = 0; i < kCount; ++i) {
    samples.labels[i] = static_cast<std::uint16_t>(i % class_count);
    for (std::size_t f = 0; f < kFeatures; ++f) {
      const auto noise = static_cast<int>(random() % 4000U) - 2000;
      const int signal = f % class_count == samples.labels[i] ? 24'000 : 0;
      samples.features[i][f] = static_cast<std::int16_t>(noise + signal);
    }
  }
}

/// Random pixels, half of them dark, so that ReLUs die as they do on images; class i mod
/// class_count. The same as in sdk/learn/engine_benchmark.cc.
template <std::size_t kCount, std::size_t kFeatures>
void fill_half_dark(StaticSamples<kCount, kFeatures>& samples, std::uint16_t class_count) {
  Xorshift32 generator(1);
  for (std::size_t i = 0; i < kCount; ++i) {
    samples.labels[i] = static_cast<std::uint16_t>(i % class_count);
    for (std::int16_t& pixel : samples.features[i]) {
      const std::uint32_t draw = generator.next();
      pixel = static_cast<std::int16_t>((draw & 1U) != 0 ? draw >> 17U : 0);
    }
  }
}

}  // namespace skep::firmware_test
