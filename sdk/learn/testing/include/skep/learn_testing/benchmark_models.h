// The models behind docs/benchmarks.md, section "Learning": those of the bars, and what two usual
// sensors' networks look like.
#pragma once

#include "skep/learn_testing/specs.h"
#include "skep/model_spec.h"

namespace skep::learn_testing {

/// 64-32-10: 2,410 parameters (design.md, section 9).
constexpr ModelSpec digits_mlp(std::int8_t input_exponent) {
  return mlp_spec({64, 32, 10}, input_exponent);
}

/// Human activity from 128 readings of 9 channels of an inertial sensor, as in the UCI HAR set
/// (Anguita et al., 2013): two convolutions, 6 classes.
constexpr ModelSpec activity_conv1d() {
  constexpr Window kConv{1, 5, 1, 1, 0, 0, 2, 2};
  constexpr Window kPool{1, 4, 1, 4, 0, 0, 0, 0};
  return spec_of({1, 128, 9}, -13, Loss::kSoftmaxCrossEntropy,
                 {{LayerKind::kConv, 16, kConv},
                  {LayerKind::kRelu, 16},
                  {LayerKind::kMaxPool, 16, kPool},
                  {LayerKind::kConv, 32, kConv},
                  {LayerKind::kRelu, 32},
                  {LayerKind::kMaxPool, 32, kPool},
                  {LayerKind::kFlatten, 256},
                  {LayerKind::kDense, 64},
                  {LayerKind::kRelu, 64},
                  {LayerKind::kDense, 6}});
}

/// Keywords from 49 x 10 cepstral coefficients: the small DS-CNN of Zhang et al., "Hello Edge",
/// 2018, table 5, with its batch normalisations folded away; 12 classes.
constexpr ModelSpec keyword_ds_cnn() {
  constexpr Window kFirst{10, 4, 2, 2, 4, 5, 1, 1};
  constexpr Window kDepthwise{3, 3, 1, 1, 1, 1, 1, 1};
  constexpr Window kPointwise{1, 1, 1, 1, 0, 0, 0, 0};
  ModelSpec spec = spec_of({49, 10, 1}, -13, Loss::kSoftmaxCrossEntropy,
                           {{LayerKind::kConv, 64, kFirst}, {LayerKind::kRelu, 64}});
  const auto append = [&spec](const LayerSpec& layer) { spec.layers[spec.layer_count++] = layer; };
  for (int block = 0; block < 4; ++block) {
    append({LayerKind::kDepthwiseConv, 64, kDepthwise});
    append({LayerKind::kRelu, 64});
    append({LayerKind::kConv, 64, kPointwise});
    append({LayerKind::kRelu, 64});
  }
  append({LayerKind::kGlobalAveragePool, 64});
  append({LayerKind::kDense, 12});
  return spec;
}

/// 28 x 28 grey images of 10 classes, one hidden layer: 50,890 parameters.
constexpr ModelSpec image_mlp(std::int8_t input_exponent) {
  return mlp_spec({784, 64, 10}, input_exponent);
}

/// The same images, two convolutions: 5,258 parameters.
constexpr ModelSpec image_cnn(std::int8_t input_exponent) {
  constexpr Window kConv{3, 3, 1, 1, 0, 0, 0, 0};
  constexpr Window kPool{2, 2, 2, 2, 0, 0, 0, 0};
  return spec_of({28, 28, 1}, input_exponent, Loss::kSoftmaxCrossEntropy,
                 {{LayerKind::kConv, 8, kConv},
                  {LayerKind::kRelu, 8},
                  {LayerKind::kMaxPool, 8, kPool},
                  {LayerKind::kConv, 16, kConv},
                  {LayerKind::kRelu, 16},
                  {LayerKind::kMaxPool, 16, kPool},
                  {LayerKind::kFlatten, 400},
                  {LayerKind::kDense, 10}});
}

}  // namespace skep::learn_testing
