// What `./run demo --task anomaly` promises, on a smaller federation.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/demo_run.h"

namespace skep::e2e {
namespace {

TEST(AnomalyDemo, TheModelOfAllDevicesFindsTheFailures) {
  const nlohmann::json summary = run_demo("3", {"--task", "anomaly"});
  EXPECT_EQ(summary.at("rounds"), 6);
  EXPECT_EQ(summary.at("devices"), 8);
  EXPECT_EQ(summary.at("dense_float_bytes"), 73 * 4);
  EXPECT_EQ(summary.at("failures"), 4);
  EXPECT_EQ(summary.at("failures_found"), 4);
  EXPECT_EQ(summary.at("float_failures_found"), 4);
  EXPECT_GT(summary.at("normal_windows"), 100);
  EXPECT_LT(summary.at("false_alarms"), summary.at("normal_windows").get<double>() / 4);
  EXPECT_GE(summary.at("auc"), 0.85);
  EXPECT_GE(summary.at("float_auc"), 0.85);
  EXPECT_GT(summary.at("held_out_loss"), 0);
  EXPECT_EQ(summary.at("poisoned_release"), "refused");
  EXPECT_EQ(summary.at("rollback"), "ok");
  EXPECT_EQ(summary.at("verify"), "ok");
  EXPECT_EQ(summary.at("tampered_verify"), "refused");
  EXPECT_FALSE(summary.contains("accuracy"));
  EXPECT_EQ(summary.size(), 20U);

  EXPECT_EQ(run_demo("3", {"--task", "anomaly"}).at("model_sha256"), summary.at("model_sha256"));
  EXPECT_NE(run_demo("4", {"--task", "anomaly"}).at("model_sha256"), summary.at("model_sha256"));
}

}  // namespace
}  // namespace skep::e2e
