// Not a tolerance: any compiler, optimisation, sanitizer and processor ends with the same bytes.
// The boards run the same trainings (tests/firmware/learning.cc).
#include "skep/learn_testing/golden_training.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "sha256_test_support.h"

namespace skep::learn {
namespace {

using learn_testing::GoldenTraining;
using learn_testing::kGoldenTrainings;

class Golden : public testing::TestWithParam<std::size_t> {};

TEST_P(Golden, TrainedWeightsAreTheSameBytesInEveryBuild) {
  const GoldenTraining& training = kGoldenTrainings[GetParam()];
  alignas(8) std::array<std::byte, learn_testing::kGoldenMemoryBytes> memory{};
  std::array<std::uint8_t, learn_testing::kGoldenBlobBytes> blob{};
  const Result<std::uint64_t> loss_sum = learn_testing::train_golden(training, memory, blob);
  ASSERT_TRUE(loss_sum.ok()) << to_string(loss_sum.status());
  const std::uint32_t size = plan_memory(training.spec, training.optimizer)->weights_blob_bytes;
  EXPECT_EQ(sha256_hex(Bytes(blob).first(size)), training.weights_sha256);
  EXPECT_EQ(*loss_sum, training.loss_sum_q16);
}

// What the digests pin is learning, not noise.
TEST_P(Golden, TheModelLearns) {
  const GoldenTraining& training = kGoldenTrainings[GetParam()];
  alignas(8) std::array<std::byte, learn_testing::kGoldenMemoryBytes> memory{};
  Engine engine = *Engine::create(training.spec, Purpose::kTraining, memory, training.optimizer);
  ASSERT_EQ(engine.initialize(7), Status::kOk);
  std::array<std::int16_t, learn_testing::kGoldenFeatures> sample{};
  const std::span<std::int16_t> features(sample.data(), training.spec.inputs);
  const auto mean_loss = [&] {
    std::uint64_t sum = 0;
    for (std::uint32_t index = 0; index < learn_testing::kGoldenSamples; ++index) {
      learn_testing::fill_golden_sample(index, features);
      sum += *engine.evaluate(features, learn_testing::golden_label(training.spec, index));
    }
    return sum;
  };
  const std::uint64_t before = mean_loss();
  std::array<std::uint8_t, learn_testing::kGoldenBlobBytes> blob{};
  // The engine is a handle on this memory: it now has what was trained there.
  ASSERT_TRUE(learn_testing::train_golden(training, memory, blob).ok());
  EXPECT_LT(mean_loss(), before);
}
INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Range(std::size_t{0}, learn_testing::kGoldenTrainings.size()),
                         [](const auto& model) {
                           return std::string(learn_testing::kGoldenTrainings[model.param].name);
                         });

}  // namespace
}  // namespace skep::learn
