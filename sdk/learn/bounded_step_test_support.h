// One training step in float64, and from the engine's formats (docs/reference/learning.md) how far
// the engine's numbers may be from it: every rounding adds its half unit, or its unit where it
// rounds down or saturates, and every layer carries the errors of its inputs on.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "skep/bytes.h"
#include "skep/learn/engine.h"
#include "skep/learn/layers.h"
#include "skep/learn_testing/bounded.h"
#include "skep/learn_testing/reference_layers.h"

namespace skep::learn {

using learn_testing::Bounded;
using BoundedVector = std::vector<Bounded>;

/// A layer's parameters as numbers, and the units of the integers that they were.
struct LayerValues {
  std::vector<double> weights;
  std::vector<double> biases;
  int exponent = 0;
  double largest_bias = 0;

  [[nodiscard]] double weight_unit() const { return std::ldexp(1, exponent); }
  [[nodiscard]] double bias_unit() const { return std::ldexp(1, exponent - kBiasFractionBits); }
};

/// Of each fused layer; empty for those without parameters.
inline std::vector<LayerValues> values_of_blob(const ModelSpec& spec,
                                               const std::vector<std::uint8_t>& blob) {
  std::vector<LayerValues> layers;
  const auto read = [&blob](std::size_t at, int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint32_t{blob.at(at + i)} << (8 * i);
    return value;
  };
  for (const FusedLayer& layer : FusedLayers(spec)) {
    LayerValues& values = layers.emplace_back();
    if (layer.weight_count == 0) continue;
    values.exponent = static_cast<std::int16_t>(read(layer.exponent_offset, 2));
    for (std::uint32_t i = 0; i < layer.weight_count; ++i) {
      const auto weight = static_cast<std::int16_t>(read(layer.weights_offset + 2 * i, 2));
      values.weights.push_back(weight * values.weight_unit());
    }
    for (std::uint32_t j = 0; j < layer.bias_count; ++j) {
      const auto bias = static_cast<std::int32_t>(read(layer.biases_offset + 4 * j, 4));
      values.biases.push_back(bias * values.bias_unit());
      values.largest_bias = std::max(values.largest_bias, std::abs(values.biases.back()));
    }
  }
  return layers;
}

namespace bounded {

inline constexpr double kUnit_q15 = 1.0 / 32768;

/// Values of one layer, and the largest exponent that the engine's may have.
struct Values {
  BoundedVector elements;
  int exponent = 0;
};

/// The least n with 2^n at least `value`.
inline int ceil_log2(std::uint64_t value) { return static_cast<int>(std::bit_width(value - 1)); }

/// The exponent that gives `largest` 15 significant bits, so 2^14 to 2^15 units.
inline int exponent_for(double largest) {
  return largest == 0 ? INT16_MIN : std::ilogb(largest) - 14;
}

/// normalize(): int16 with the exponent that gives the largest 15 bits, but at least
/// `min_exponent`. To nearest, or a whole unit off where rounding up the largest saturates.
/// `sum_exponent` is of what is normalised, and remains if all of it is 0.
inline Values normalized(BoundedVector sums, int sum_exponent, int min_exponent) {
  const double largest = learn_testing::largest_magnitude(sums);
  const int exponent = std::max(exponent_for(largest), min_exponent);
  const double unit = std::ldexp(1, exponent);
  bool may_be_zero = true;
  for (Bounded& sum : sums) {
    may_be_zero = may_be_zero && std::abs(sum.value) <= sum.error;
    sum.error += unit;
  }
  return {std::move(sums), may_be_zero ? std::max(exponent, sum_exponent) : exponent};
}

/// The exponent of a layer's sums, before its activation.
inline int sum_exponent(const FusedLayer& layer, const LayerValues& parameters, int x_exponent) {
  switch (layer.kind) {
    case LayerKind::kDense:
      // Products are lifted by up to 16 bits to meet a finer bias.
      return parameters.exponent + x_exponent -
             std::clamp(x_exponent + kBiasFractionBits, 0, kBiasFractionBits);
    case LayerKind::kConv:
    case LayerKind::kDepthwiseConv: {
      const auto largest =
          static_cast<std::uint64_t>(parameters.largest_bias / parameters.bias_unit());
      const auto bits = static_cast<int>(std::bit_width(largest));
      return std::max(parameters.exponent + x_exponent + ceil_log2(layer.fan_in),
                      parameters.exponent - kBiasFractionBits + bits - 29);
    }
    case LayerKind::kMaxPool:
      return x_exponent;
    default:
      return x_exponent - 15;
  }
}

/// What rounding to the exponent of the sums adds to an error.
inline double sum_error(const FusedLayer& layer, const LayerValues& parameters, int x_exponent) {
  const double unit = std::ldexp(1, sum_exponent(layer, parameters, x_exponent));
  switch (layer.kind) {
    case LayerKind::kDense:  // Exact, but a bias that is finer than the lift allows.
      return x_exponent > 0 ? unit / 2 : 0;
    case LayerKind::kConv:
    case LayerKind::kDepthwiseConv:  // The products' sum, and the bias.
      return unit;
    case LayerKind::kMaxPool:
      return 0;
    default:  // The reciprocal of a window's size is 2^30 or more: 2^-31 of 2^15 units at most.
      return unit / 2 + unit / 2;
  }
}

/// ReLU and leaky ReLU; the latter rounds down to a multiple of `unit`.
inline Bounded rectified(const FusedLayer& layer, const Bounded& x, double unit) {
  if (layer.activation == Activation::kRelu) return {std::max(x.value, 0.0), x.error};
  if (layer.activation != Activation::kLeakyRelu || x.value > x.error) return x;
  const double slope = learn_testing::slope_of<double>(layer);
  const double steepest = x.value < -x.error ? slope : 1;
  return {x.value < 0 ? slope * x.value : x.value, steepest * x.error + unit};
}

// The table of sigmoid_q15(): linear interpolation in steps of 1/16, |f''| ≤ 1/(6 √3); entries and
// the result rounded to nearest in Q15, the position to 2^-15 of a step; above 16 the table ends.
inline const double kSigmoidError = 1.0 / (8 * 256 * 6 * std::sqrt(3.0)) + kUnit_q15 / 2 +
                                    kUnit_q15 / 2 + 0.25 / (16 * 65536) + std::exp(-16.0);

/// Sigmoid and tanh of int16 values; what is 1 or more in Q15 becomes 32767.
inline Bounded squashed(const FusedLayer& layer, const Bounded& x) {
  if (layer.activation == Activation::kSigmoid) {
    return {1 / (1 + std::exp(-x.value)), x.error / 4 + kSigmoidError + kUnit_q15};
  }
  return {std::tanh(x.value), x.error + 2 * kSigmoidError + kUnit_q15};
}

inline bool is_squashing(Activation activation) {
  return activation == Activation::kSigmoid || activation == Activation::kTanh;
}

inline BoundedVector exact(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

/// A layer's outputs.
inline Values forward(const FusedLayer& layer, const LayerValues& parameters, const Values& x) {
  BoundedVector sums(layer.output.size());
  learn_testing::compute_sums(layer, exact(parameters.weights).data(),
                              exact(parameters.biases).data(), x.elements.data(), sums.data());
  const int exponent = sum_exponent(layer, parameters, x.exponent);
  const double error = sum_error(layer, parameters, x.exponent);
  for (Bounded& sum : sums) {
    sum.error += error;
    sum = rectified(layer, sum, std::ldexp(1, exponent));
  }
  constexpr int kMinActivationExponent = -36;
  Values y = normalized(std::move(sums), exponent, kMinActivationExponent);
  if (!is_squashing(layer.activation)) return y;
  for (Bounded& element : y.elements) element = squashed(layer, element);
  y.exponent = -15;
  return y;
}

/// gradient * derivative of the activation whose output is y, rounded down to a multiple of `unit`;
/// the derivatives of sigmoid and tanh are rounded down in Q15 before.
inline Bounded through_activation(const FusedLayer& layer, const Bounded& gradient,
                                  const Bounded& y, double unit) {
  const double derivative = learn_testing::derivative(layer, y.value);
  switch (layer.activation) {
    case Activation::kNone:
      return gradient;
    case Activation::kRelu:
    case Activation::kLeakyRelu: {
      // So close to the kink a unit may be on one side here and on the other in the engine.
      const bool uncertain = std::abs(y.value) <= y.error;
      const double other =
          layer.activation == Activation::kRelu ? 0 : learn_testing::slope_of<double>(layer);
      Bounded result = gradient * Bounded(derivative);
      if (uncertain) result.error = gradient.error + std::abs(gradient.value) * (1 - other);
      if (layer.activation == Activation::kLeakyRelu) result.error += unit;
      return result;
    }
    case Activation::kSigmoid:
    case Activation::kTanh: {
      const double steepness = layer.activation == Activation::kSigmoid ? std::abs(1 - 2 * y.value)
                                                                        : 2 * std::abs(y.value);
      const Bounded bounded(derivative, steepness * y.error + y.error * y.error + kUnit_q15);
      Bounded result = gradient * bounded;
      result.error += unit;
      return result;
    }
  }
  return gradient;
}

/// The least n with 2^n at least the number of windows of a pool that an input may be in.
inline int overlap_log2(const FusedLayer& layer) {
  if (layer.kind == LayerKind::kGlobalAveragePool) return 0;
  const Window& window = layer.window;
  const int rows = (window.height + window.stride_height - 1) / window.stride_height;
  const int columns = (window.width + window.stride_width - 1) / window.stride_width;
  return ceil_log2(static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns));
}

/// Exponent and error of the gradient by a layer's input, before the derivative.
struct Rounding {
  int exponent;
  double error;
};
inline Rounding input_gradient_rounding(const FusedLayer& layer, const LayerValues& parameters,
                                        int delta_exponent) {
  const std::uint32_t taps = std::uint32_t{layer.window.height} * layer.window.width;
  const int exact = parameters.exponent + delta_exponent;
  switch (layer.kind) {
    case LayerKind::kDense:
      return {exact, 0};
    case LayerKind::kConv:
    case LayerKind::kDepthwiseConv: {
      const std::uint32_t terms =
          layer.kind == LayerKind::kConv ? taps * layer.output.channels : taps;
      const int exponent = exact + ceil_log2(terms);
      return {exponent, std::ldexp(1, exponent - 1)};
    }
    case LayerKind::kMaxPool:
      return {delta_exponent, 0};
    default: {
      // Each window that an input is in adds a rounded share; the shares have fewer fraction bits
      // where many windows overlap.
      const int overlap = overlap_log2(layer);
      const int exponent = delta_exponent - 15 + overlap;
      return {exponent, std::ldexp(1, exponent + overlap)};
    }
  }
}

/// The gradient by the outputs of `previous` before its activation, from that by the outputs of
/// `layer`; x are the outputs of `previous`.
inline Values backward(const FusedLayer& layer, const LayerValues& parameters, const Values& deltas,
                       const FusedLayer& previous, const Values& x) {
  BoundedVector gradient(layer.input.size());
  learn_testing::input_gradient(layer, exact(parameters.weights).data(), x.elements.data(),
                                deltas.elements.data(), gradient.data());
  const Rounding rounding = input_gradient_rounding(layer, parameters, deltas.exponent);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i].error += rounding.error;
    gradient[i] =
        through_activation(previous, gradient[i], x.elements[i], std::ldexp(1, rounding.exponent));
  }
  return normalized(std::move(gradient), rounding.exponent, INT16_MIN);
}

/// A share of 1 / n, its relative error below 2^-16.
inline Bounded share_of(std::size_t n) {
  const double share = 1.0 / static_cast<double>(n);
  return {share, std::ldexp(share, -16)};
}
/// What a share moves exponents by.
inline int share_shift(std::size_t n) { return 15 + ceil_log2(n); }

/// p − onehot(label). Logits off by up to `shift` move p by a factor of e^±2shift; then softmax's
/// own error (softmax.h).
inline Values softmax_gradient(const Values& y, std::uint16_t label) {
  double top = -HUGE_VAL;
  double shift = 0;
  for (const Bounded& logit : y.elements) {
    top = std::max(top, logit.value);
    shift = std::max(shift, logit.error);
  }
  double sum = 0;
  for (const Bounded& logit : y.elements) sum += std::exp(logit.value - top);
  Values deltas{{}, -15};
  for (std::size_t i = 0; i < y.elements.size(); ++i) {
    const double log_p = y.elements[i].value - top - std::log(sum);
    const double p = std::exp(log_p);
    // p e^2shift − p, which is at most 1, without the overflow of e^2shift.
    const double moved = shift < 1 ? std::min(p * std::expm1(2 * shift), 1.0)
                                   : std::exp(std::min(log_p + 2 * shift, 0.0));
    deltas.elements.emplace_back(p - (i == label ? 1 : 0), moved + 3.2e-4 * p + 1.6 * kUnit_q15);
  }
  return deltas;
}

/// 2 (y − x) / n in the finer of the two exponents, or in one 30 bits below the coarser.
inline Values squared_error_gradient(const Values& y, const Values& sample) {
  const std::size_t n = y.elements.size();
  const int coarse = std::max(y.exponent, sample.exponent);
  const int exponent = std::max(std::min(y.exponent, sample.exponent), coarse - 30);
  Values deltas{{}, exponent + 1 - share_shift(n)};
  for (std::size_t i = 0; i < n; ++i) {
    const Bounded& element = y.elements[i];
    const Bounded residual(element.value - sample.elements[i].value,
                           element.error + std::ldexp(1, exponent - 1));
    deltas.elements.push_back(Bounded(2.0) * residual * share_of(n));
  }
  return deltas;
}

/// (sigmoid(y) − target) / n.
inline Values binary_gradient(const Values& y, std::uint16_t label) {
  const std::size_t n = y.elements.size();
  Values deltas{{}, -15 - share_shift(n)};
  for (std::size_t i = 0; i < n; ++i) {
    const Bounded& element = y.elements[i];
    const double target = (label >> i & 1) != 0 ? 1 : 0;
    const Bounded residual(1 / (1 + std::exp(-element.value)) - target,
                           element.error / 4 + kSigmoidError);
    deltas.elements.push_back(residual * share_of(n));
  }
  return deltas;
}

/// The gradient of the loss by the last layer's outputs before their activation.
inline Values loss_gradient(const ModelSpec& spec, const FusedLayer& last, const Values& y,
                            const Values& sample, std::uint16_t label) {
  Values deltas = spec.loss == Loss::kSoftmaxCrossEntropy ? softmax_gradient(y, label)
                  : spec.loss == Loss::kMeanSquaredError  ? squared_error_gradient(y, sample)
                                                          : binary_gradient(y, label);
  // Probabilities are in Q15 as they are.
  if (spec.loss == Loss::kSoftmaxCrossEntropy && last.activation == Activation::kNone) {
    return deltas;
  }
  for (std::size_t i = 0; i < deltas.elements.size(); ++i) {
    deltas.elements[i] =
        through_activation(last, deltas.elements[i], y.elements[i], std::ldexp(1, deltas.exponent));
  }
  return normalized(std::move(deltas.elements), deltas.exponent, INT16_MIN);
}

}  // namespace bounded

/// A forward and a backward pass on one sample.
class BoundedPass {
 public:
  BoundedPass(const ModelSpec& spec, const std::vector<std::uint8_t>& blob,
              std::span<const std::int16_t> features)
      : spec_(spec), parameters_(values_of_blob(spec, blob)) {
    bounded::Values sample{{}, spec.input_exponent};
    for (const int feature : features) {
      sample.elements.emplace_back(std::ldexp(feature, spec.input_exponent));
    }
    values_.push_back(std::move(sample));
    for (const FusedLayer& layer : FusedLayers(spec_)) {
      values_.push_back(bounded::forward(layer, parameters_[layers_.size()], values_.back()));
      layers_.push_back(layer);
    }
  }

  void run_backward(std::uint16_t label) {
    deltas_.resize(layers_.size());
    deltas_.back() =
        bounded::loss_gradient(spec_, layers_.back(), values_.back(), values_.front(), label);
    for (std::size_t k = layers_.size() - 1; k > 0; --k) {
      deltas_[k - 1] =
          bounded::backward(layers_[k], parameters_[k], deltas_[k], layers_[k - 1], values_[k]);
    }
  }

  [[nodiscard]] const std::vector<FusedLayer>& layers() const { return layers_; }
  [[nodiscard]] const LayerValues& parameters(std::size_t k) const { return parameters_[k]; }
  [[nodiscard]] const BoundedVector& input(std::size_t k) const { return values_[k].elements; }
  /// The largest exponent that the engine's input of layer k may have while it is trained: a sample
  /// is then given 15 bits.
  [[nodiscard]] int input_exponent(std::size_t k) const {
    if (k > 0) return values_[k].exponent;
    return bounded::exponent_for(learn_testing::largest_magnitude(input(0)));
  }
  [[nodiscard]] const BoundedVector& outputs() const { return values_.back().elements; }
  [[nodiscard]] const BoundedVector& deltas(std::size_t k) const { return deltas_[k].elements; }

  /// The gradient by layer k's weights, then its biases. After run_backward().
  [[nodiscard]] BoundedVector gradient(std::size_t k) const {
    const FusedLayer& layer = layers_[k];
    BoundedVector gradient(layer.weight_count + layer.bias_count);
    learn_testing::parameter_gradient(layer, input(k).data(), deltas(k).data(), gradient.data(),
                                      gradient.data() + layer.weight_count);
    return gradient;
  }

 private:
  ModelSpec spec_;
  std::vector<FusedLayer> layers_;
  std::vector<LayerValues> parameters_;
  std::vector<bounded::Values> values_;  // the sample, then each layer's outputs
  std::vector<bounded::Values> deltas_;  // of each layer's outputs, before the activation
};

}  // namespace skep::learn
