// What `./run demo` promises, on a smaller federation: every part of it works, and the same seed
// gives the same model.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/demo_run.h"

namespace skep::e2e {
namespace {

TEST(Demo, EveryPartWorksAndTheSeedDecides) {
  const nlohmann::json first = run_demo("3");
  EXPECT_EQ(first.at("rounds"), 6);
  EXPECT_EQ(first.at("devices"), 8);
  EXPECT_EQ(first.at("dense_float_bytes"), 2410 * 4);
  EXPECT_LE(first.at("update_bytes"), 700);
  EXPECT_GE(first.at("accuracy"), 0.85);
  EXPECT_GE(first.at("float_accuracy"), 0.9);
  EXPECT_EQ(first.at("poisoned_release"), "refused");
  EXPECT_EQ(first.at("rollback"), "ok");
  EXPECT_EQ(first.at("verify"), "ok");
  EXPECT_EQ(first.at("tampered_verify"), "refused");
  EXPECT_GT(first.at("seconds"), 0);
  EXPECT_EQ(first.size(), 12U);

  EXPECT_EQ(run_demo("3").at("model_sha256"), first.at("model_sha256"));
  EXPECT_NE(run_demo("4").at("model_sha256"), first.at("model_sha256"));
}

// Sparse ternary, one element in ten: less than 180 bytes of delta, the rest is protection.
TEST(Demo, LearnsWithSparseTernaryUpdates) {
  const nlohmann::json summary = run_demo("3", {"--compression", "ternary"});
  EXPECT_LE(summary.at("update_bytes"), 430);
  EXPECT_GE(summary.at("accuracy"), 0.85);
  EXPECT_EQ(summary.at("poisoned_release"), "refused");
  EXPECT_EQ(summary.at("rollback"), "ok");
}

}  // namespace
}  // namespace skep::e2e
