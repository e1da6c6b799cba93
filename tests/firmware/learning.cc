// The trainings whose bytes every machine must make: digests of the trained weights, and that an
// engine stays within the memory that its plan asks for.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/learn_testing/golden_training.h"
#include "skep/seal/sha256.h"
#include "support/test_board.h"

namespace skep::firmware_test {
namespace {

using learn_testing::GoldenTraining;

constexpr std::byte kCanary{0xA5};
constexpr std::size_t kCanaryBytes = 256;

alignas(8) std::array<std::byte, learn_testing::kGoldenMemoryBytes + kCanaryBytes> memory;
std::array<std::uint8_t, learn_testing::kGoldenBlobBytes> blob;

void train(const GoldenTraining& training) {
  const learn::MemoryPlan plan =
      take(learn::plan_memory(training.spec, training.optimizer), training.name);
  memory.fill(kCanary);
  const std::uint64_t loss_sum =
      take(learn_testing::train_golden(training, memory, blob), training.name);
  const auto beyond = std::span(memory).subspan(plan.training_bytes);
  require(std::all_of(beyond.begin(), beyond.end(), [](std::byte byte) { return byte == kCanary; }),
          "nothing beyond the plan is written");
  report({"golden", training.name, {"loss_sum", loss_sum}});
  report_hex(training.name, take(seal::sha256(Bytes(blob).first(plan.weights_blob_bytes)), "sha"));
}

}  // namespace
}  // namespace skep::firmware_test

int main() {
  for (const auto& training : skep::learn_testing::kGoldenTrainings) {
    skep::firmware_test::train(training);
  }
  skep::firmware_test::finish(true);
}
