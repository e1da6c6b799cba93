// The same seed gives the same model also where compression draws random numbers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/demo_run.h"

namespace skep::e2e {
namespace {

// The random choices are those of the round, its base model and the device, not of the run.
TEST(RepeatableDemo, CompressionDrawsTheSameRandomNumbersAgain) {
  for (const char* compression : {"int8", "eden", "random-k"}) {
    const auto digest = [&] {
      const process::Command options{"--compression", compression};
      return run_demo("3", options, {.devices = 4, .rounds = 3}).at("model_sha256");
    };
    EXPECT_EQ(digest(), digest()) << compression;
  }
}

}  // namespace
}  // namespace skep::e2e
