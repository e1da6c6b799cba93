#include "loss.h"

#include <algorithm>

#include "activation.h"
#include "fixed_point.h"
#include "normalize.h"
#include "softmax.h"

namespace skep::learn::internal {
namespace {

// Significant bits of 1 / n, the number of outputs.
constexpr int kShareBits = 16;

/// Output minus sample, element by element, in the finer of the two exponents, or, where those are
/// far apart, in one that keeps 30 bits of the coarser.
class Residuals {
 public:
  explicit Residuals(const Prediction& prediction)
      : output_(prediction.output), sample_(prediction.sample) {
    const int coarse = std::max(output_.exponent, sample_.exponent);
    exponent_ = std::max(std::min(output_.exponent, sample_.exponent), coarse - 30);
  }

  [[nodiscard]] std::uint32_t size() const {
    return static_cast<std::uint32_t>(output_.values.size());
  }
  [[nodiscard]] int exponent() const { return exponent_; }
  /// Below 2^46.
  [[nodiscard]] std::int64_t operator[](std::uint32_t i) const {
    return scale(output_.values[i], output_.exponent - exponent_) -
           scale(sample_.values[i], sample_.exponent - exponent_);
  }

 private:
  Output output_;
  Vector sample_;
  int exponent_;
};

std::uint32_t mean_squared_error_q16(const Residuals& residuals) {
  std::uint64_t bits = 0;
  for (std::uint32_t i = 0; i < residuals.size(); ++i) bits |= magnitude_bits(residuals[i]);
  const int shift = std::max(significant_bits(bits) - 15, 0);
  std::int64_t sum = 0;
  for (std::uint32_t i = 0; i < residuals.size(); ++i) {
    const std::int64_t value = scale(residuals[i], -shift);
    sum += value * value;
  }
  const Reciprocal share(residuals.size(), kShareBits);  // |sum| < 2^45
  return saturate<std::uint32_t>(
      scale(sum * share.factor, 2 * (residuals.exponent() + shift) + 16 - share.shift));
}

std::uint32_t binary_cross_entropy_q16(const Prediction& prediction) {
  const Output& output = prediction.output;
  std::int64_t sum = 0;
  for (std::uint32_t i = 0; i < output.values.size(); ++i) {
    const std::int32_t logit = output.values[i];
    const bool target = (prediction.label >> i & 1) != 0;
    // ln(1 + e^z) − t z = ln(1 + e^−|z|) + |z| where z has the wrong sign.
    const std::int32_t magnitude = logit < 0 ? -logit : logit;
    const std::uint64_t terms =
        (std::uint64_t{1} << 30) + exponential_q30(-magnitude, output.exponent);
    sum += natural_log_q16(terms);
    if ((logit > 0) != target) sum += scale(magnitude, output.exponent + 16);
    sum = std::min<std::int64_t>(sum, std::int64_t{1} << 40);
  }
  const Reciprocal share(static_cast<std::uint32_t>(output.values.size()), kShareBits);
  return saturate<std::uint32_t>(scale(sum * share.factor, -share.shift));
}

/// Rounds the gradient `values` * 2^exponent by the activated outputs to deltas.
int finish_gradient(std::int64_t* values, int exponent, const BoundLayer& last,
                    std::int16_t* deltas) {
  const std::uint32_t outputs = last.output_count();
  scale_by_derivative(values, last.output, outputs, last.plan.activation,
                      last.plan.negative_slope_q15);
  return normalize(values, outputs, exponent, kNoMinExponent, deltas);
}

LossAndGradient softmax_cross_entropy_and_gradient(const Prediction& prediction,
                                                   const BoundLayer& last, std::int16_t* deltas) {
  auto* const terms = last.scratch_at<std::int64_t>(0);
  const Output& output = prediction.output;
  const std::uint64_t sum = sum_exponentials(output.values, output.exponent, terms);
  const std::uint32_t loss =
      cross_entropy_q16(output.values, output.exponent, sum, prediction.label);
  softmax_gradient({terms, output.values.size()}, sum, prediction.label, deltas);
  if (last.plan.activation == Activation::kNone) return {loss, kProbabilityExponent};
  std::copy_n(deltas, output.values.size(), terms);
  return {loss, finish_gradient(terms, kProbabilityExponent, last, deltas)};
}

int mean_squared_error_gradient(const Prediction& prediction, const BoundLayer& last,
                                std::int16_t* deltas) {
  auto* const values = last.scratch_at<std::int64_t>(0);
  const Residuals residuals(prediction);
  const Reciprocal share(residuals.size(), kShareBits);
  for (std::uint32_t i = 0; i < residuals.size(); ++i) values[i] = residuals[i] * share.factor;
  return finish_gradient(values, residuals.exponent() + 1 - share.shift, last, deltas);
}

int binary_cross_entropy_gradient(const Prediction& prediction, const BoundLayer& last,
                                  std::int16_t* deltas) {
  auto* const values = last.scratch_at<std::int64_t>(0);
  const Output& output = prediction.output;
  const Reciprocal share(static_cast<std::uint32_t>(output.values.size()), kShareBits);
  for (std::uint32_t i = 0; i < output.values.size(); ++i) {
    const std::int32_t target = (prediction.label >> i & 1) << 15;
    values[i] = (sigmoid_q15(output.values[i], output.exponent) - target) * share.factor;
  }
  return finish_gradient(values, kUnitExponent - share.shift, last, deltas);
}

}  // namespace

std::uint32_t loss_q16(const Prediction& prediction) {
  const Output& output = prediction.output;
  switch (prediction.spec.loss) {
    case Loss::kMeanSquaredError:
      return mean_squared_error_q16(Residuals(prediction));
    case Loss::kBinaryCrossEntropy:
      return binary_cross_entropy_q16(prediction);
    case Loss::kSoftmaxCrossEntropy:
      break;
  }
  const std::uint64_t sum = sum_exponentials(output.values, output.exponent, nullptr);
  return cross_entropy_q16(output.values, output.exponent, sum, prediction.label);
}

LossAndGradient loss_and_gradient(const Prediction& prediction, const BoundLayer& last,
                                  std::int16_t* deltas) {
  switch (prediction.spec.loss) {
    case Loss::kMeanSquaredError:
      return {loss_q16(prediction), mean_squared_error_gradient(prediction, last, deltas)};
    case Loss::kBinaryCrossEntropy:
      return {loss_q16(prediction), binary_cross_entropy_gradient(prediction, last, deltas)};
    case Loss::kSoftmaxCrossEntropy:
      break;
  }
  return softmax_cross_entropy_and_gradient(prediction, last, deltas);
}

}  // namespace skep::learn::internal
