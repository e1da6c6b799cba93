#include "spec_text.h"

#include <gtest/gtest.h>

namespace skep::skepctl {
namespace {

TEST(SpecText, ReadsTheShortForm) {
  const ModelSpec spec = parse_spec(64, -4, "dense:32,relu,dense:10");
  EXPECT_EQ(spec.inputs, 64);
  EXPECT_EQ(spec.input_exponent, -4);
  ASSERT_EQ(spec.layer_count, 3);
  EXPECT_EQ(spec.layers[0], (LayerSpec{LayerKind::kDense, 32}));
  EXPECT_EQ(spec.layers[1], (LayerSpec{LayerKind::kRelu, 32}));
  EXPECT_EQ(spec.layers[2], (LayerSpec{LayerKind::kDense, 10}));
  const Json json = describe(spec);
  EXPECT_EQ(json["layers"][0]["kind"], "dense");
  EXPECT_EQ(json["layers"][1]["kind"], "relu");
  EXPECT_EQ(json["layers"][2]["output"], Json({1, 1, 10}));
  EXPECT_EQ(json["parameter_count"], 2410);
  EXPECT_EQ(summarize(spec).substr(0, 38), "64 inputs, 3 layers, 2410 parameters, ");
}

TEST(SpecText, RefusesWhatIsNoModel) {
  for (const char* layers :
       {"", "relu", "dense", "dense:", "dense:0", "dense:-1", "dense:16385", "dense:99999",
        "dense:1x", "dense: 1", "dense:1,", "dense:1,,dense:1", "conv:3", "Dense:3",
        // More than kMaxParameters with its biases.
        "dense:4096"}) {
    EXPECT_ANY_THROW((void)parse_spec(64, 0, layers)) << layers;
  }
  std::string most = "dense:1";
  for (std::uint32_t i = 1; i < kMaxLayers; ++i) most += ",dense:1";
  EXPECT_EQ(parse_spec(64, 0, most).layer_count, kMaxLayers);
  EXPECT_ANY_THROW((void)parse_spec(64, 0, most + ",dense:1"));
  EXPECT_ANY_THROW((void)parse_spec(0, 0, "dense:1"));
  EXPECT_ANY_THROW((void)parse_spec(16385, 0, "dense:1"));
  EXPECT_ANY_THROW((void)parse_spec(1, -31, "dense:1"));
  EXPECT_ANY_THROW((void)parse_spec(1, 16, "dense:1"));
  EXPECT_ANY_THROW((void)parse_spec(1, 300, "dense:1"));
}

}  // namespace
}  // namespace skep::skepctl
