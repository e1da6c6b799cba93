// What `./run demo --task fashion` promises, on a federation small enough for a test: a
// convolutional network is learned, released, defended and rolled back as the digits' is.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/demo_run.h"

namespace skep::e2e {
namespace {

constexpr DemoSize kSize{.devices = 3, .rounds = 4};

nlohmann::json run_fashion(const std::string& seed) {
  return run_demo(seed, {"--task", "fashion", "--samples", "2000"}, kSize);
}

TEST(FashionDemo, DevicesLearnAConvolutionalNetworkTogether) {
  const nlohmann::json summary = run_fashion("3");
  EXPECT_EQ(summary.at("rounds"), kSize.rounds);
  EXPECT_EQ(summary.at("devices"), kSize.devices);
  EXPECT_GE(summary.at("accuracy"), 0.6);
  EXPECT_GE(summary.at("float_accuracy"), 0.75);
  // Four rounds, each update a tenth of the parameters, beside five passes over all samples.
  EXPECT_GE(summary.at("accuracy"), summary.at("float_accuracy").get<double>() - 0.15);
  EXPECT_EQ(summary.at("poisoned_release"), "refused");
  EXPECT_EQ(summary.at("rollback"), "ok");
  EXPECT_EQ(summary.at("verify"), "ok");
  EXPECT_EQ(summary.at("tampered_verify"), "refused");
  EXPECT_EQ(summary.size(), 12U);

  EXPECT_EQ(run_fashion("3").at("model_sha256"), summary.at("model_sha256"));
}

}  // namespace
}  // namespace skep::e2e
