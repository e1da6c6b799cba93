#include "spec_text.h"

#include <gtest/gtest.h>

#include "answer.h"

namespace skep::skepctl {
namespace {

TEST(SpecText, RoundTrips) {
  const ModelSpec spec = parse_spec(64, -4, "dense:32,relu,dense:10");
  EXPECT_EQ(spec.inputs, 64);
  EXPECT_EQ(spec.input_exponent, -4);
  ASSERT_EQ(spec.layer_count, 3);
  EXPECT_EQ(spec.layers[0], (LayerSpec{LayerKind::kDense, 32}));
  EXPECT_EQ(spec.layers[1], (LayerSpec{LayerKind::kRelu, 32}));
  EXPECT_EQ(spec.layers[2], (LayerSpec{LayerKind::kDense, 10}));
  EXPECT_EQ(format_layers(spec), "dense:32,relu,dense:10");
}

TEST(SpecText, RefusesWhatIsNoModel) {
  for (const char* layers :
       {"", "relu", "dense", "dense:", "dense:0", "dense:-1", "dense:4097", "dense:99999",
        "dense:1x", "dense: 1", "dense:1,", "dense:1,,dense:1", "conv:3", "Dense:3",
        // More than kMaxParameters with its biases, and one more than kMaxLayers.
        "dense:4096",
        "dense:1,dense:1,dense:1,dense:1,dense:1,dense:1,dense:1,dense:1,dense:1,"
        "dense:1,dense:1,dense:1,dense:1,dense:1,dense:1,dense:1,dense:1"}) {
    EXPECT_THROW((void)parse_spec(64, 0, layers), CommandError) << layers;
  }
  EXPECT_THROW((void)parse_spec(0, 0, "dense:1"), CommandError);
  EXPECT_THROW((void)parse_spec(4097, 0, "dense:1"), CommandError);
  EXPECT_THROW((void)parse_spec(1, -31, "dense:1"), CommandError);
  EXPECT_THROW((void)parse_spec(1, 16, "dense:1"), CommandError);
}

}  // namespace
}  // namespace skep::skepctl
