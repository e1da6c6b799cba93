// Activations: on a layer's sums where they commute with scaling, else on its outputs.
#pragma once

#include <algorithm>
#include <cstdint>

#include "fixed_point.h"
#include "skep/learn/layers.h"

namespace skep::learn {

/// Exponent of what a sigmoid or tanh gives: Q15, at most 32767.
inline constexpr int kUnitExponent = -15;

/// 1 / (1 + e^−x) for x = value * 2^exponent, in Q15, 0 … 32768, absolute error below 6e-5 + 2^-16:
/// a table of 257 entries on [0, 16), interpolated linearly.
std::int32_t sigmoid_q15(std::int64_t value, int exponent);

/// ReLU and leaky ReLU on sums of any exponent, in place: floor(sum * slope / 2^15) below 0.
template <typename Wide>
void activate_sums(Wide* sums, std::uint32_t n, Activation activation, std::uint16_t slope_q15) {
  if (activation == Activation::kRelu) {
    for (std::uint32_t i = 0; i < n; ++i) sums[i] = std::max<Wide>(sums[i], 0);
  } else if (activation == Activation::kLeakyRelu) {
    for (std::uint32_t i = 0; i < n; ++i) {
      if (sums[i] < 0) sums[i] = static_cast<Wide>(scale_q15(sums[i], slope_q15));
    }
  }
}

/// Sigmoid and tanh on outputs, in place. Returns the exponent that they then have.
int activate_outputs(std::int16_t* outputs, std::uint32_t n, int exponent, Activation activation);

/// The activation's derivative where its output is y * 2^kUnitExponent (sigmoid, tanh) or has the
/// sign of y (the others), in Q15, 0 … 2^15. The derivative of a ReLU at 0 is 0, of a leaky one 1.
inline std::int32_t derivative_q15(std::int16_t y, Activation activation, std::uint16_t slope_q15) {
  constexpr std::int32_t kOne = 1 << 15;
  switch (activation) {
    case Activation::kNone:
      return kOne;
    case Activation::kRelu:
      return y > 0 ? kOne : 0;
    case Activation::kLeakyRelu:
      return y < 0 ? slope_q15 : kOne;
    case Activation::kSigmoid:
      return (y * (kOne - y)) >> 15;
    case Activation::kTanh:
      return (kOne * kOne - y * y) >> 15;
  }
  return kOne;
}

/// From the gradient by an activation's outputs `y` to that by its inputs, in place:
/// floor(gradient * derivative / 2^15).
template <typename Wide>
void scale_by_derivative(Wide* gradient, const std::int16_t* y, std::uint32_t n,
                         Activation activation, std::uint16_t slope_q15) {
  if (activation == Activation::kNone) return;
  if (activation == Activation::kRelu) {
    for (std::uint32_t i = 0; i < n; ++i) {
      if (y[i] <= 0) gradient[i] = 0;
    }
    return;
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::int32_t derivative = derivative_q15(y[i], activation, slope_q15);
    gradient[i] = static_cast<Wide>(scale_q15(gradient[i], derivative));
  }
}

}  // namespace skep::learn
