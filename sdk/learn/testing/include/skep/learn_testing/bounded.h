// A number and how far the engine's may be from it, for the reference's layers: what the layers do
// to values, they do to the bounds of their errors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "skep/learn_testing/reference_layers.h"

namespace skep::learn_testing {

/// The engine's number is in [value − error, value + error].
struct Bounded {
  double value = 0;
  double error = 0;

  Bounded() = default;
  Bounded(double exact) : value(exact) {}  // NOLINT: numbers of the formulas are exact
  Bounded(double v, double e) : value(v), error(e) {}

  /// Largest magnitude that the engine's number can have.
  [[nodiscard]] double magnitude() const { return std::abs(value) + error; }

  Bounded& operator+=(const Bounded& other) {
    value += other.value;
    error += other.error;
    return *this;
  }
  friend Bounded operator+(Bounded a, const Bounded& b) { return a += b; }
  friend Bounded operator*(const Bounded& a, const Bounded& b) {
    return {a.value * b.value, std::abs(a.value) * b.error + a.error * b.magnitude()};
  }
  /// By an exact divisor.
  friend Bounded operator/(const Bounded& a, const Bounded& b) {
    return {a.value / b.value, a.error / std::abs(b.value)};
  }
  friend Bounded max(const Bounded& a, const Bounded& b) {
    return {std::max(a.value, b.value), std::max(a.error, b.error)};
  }
};

inline double largest_magnitude(const std::vector<Bounded>& values) {
  double largest = 0;
  for (const Bounded& value : values) largest = std::max(largest, value.magnitude());
  return largest;
}

namespace internal {

// If it is not certain which input of a window is the largest, each that may be may get the
// gradient or not.
template <>
inline void max_pool_input_gradient<Bounded>(const FusedLayer& layer, const Bounded* x,
                                             const Bounded* deltas, Bounded* gradient) {
  const std::uint32_t channels = layer.output.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for (std::uint32_t c = 0; c < channels; ++c) {
      std::vector<std::size_t> window;
      for_each_run(layer, place, [&](const TapRun& run) {
        for (std::uint32_t t = 0; t < run.taps; ++t) {
          window.push_back((std::size_t{run.first_input} + t) * channels + c);
        }
      });
      const std::size_t winner =
          *std::max_element(window.begin(), window.end(),
                            [&](std::size_t a, std::size_t b) { return x[a].value < x[b].value; });
      double certain = x[winner].value - x[winner].error;
      for (const std::size_t at : window) certain = std::max(certain, x[at].value - x[at].error);
      std::erase_if(window, [&](std::size_t at) { return x[at].value + x[at].error < certain; });
      gradient[winner] += deltas[c];
      if (window.size() == 1) continue;
      for (const std::size_t at : window) gradient[at].error += deltas[c].magnitude();
    }
  }
}

}  // namespace internal
}  // namespace skep::learn_testing
