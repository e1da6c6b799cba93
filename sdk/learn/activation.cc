#include "activation.h"

#include <array>

namespace skep::learn {
namespace {

constexpr std::int32_t kOne_q15 = 1 << 15;
constexpr std::uint32_t kIntervals = 256;
constexpr int kIntervalsAUnitLog2 = 4;  // 256 intervals on [0, 16)

// e^−x for 0 ≤ x ≤ 16 by its Taylor series at x / 2^10, squared ten times: the compiler computes
// it, with the same IEEE arithmetic everywhere.
constexpr double exponential_of_minus(double x) {
  const double y = -x / 1024;
  double power = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5))));
  for (int i = 0; i < 10; ++i) power *= power;
  return power;
}

constexpr std::array<std::uint16_t, kIntervals + 1> kSigmoid_q15 = [] {
  std::array<std::uint16_t, kIntervals + 1> table{};
  for (std::uint32_t i = 0; i <= kIntervals; ++i) {
    const double x = static_cast<double>(i) / (1 << kIntervalsAUnitLog2);
    const double exact = kOne_q15 / (1 + exponential_of_minus(x));
    const auto floor = static_cast<std::uint16_t>(exact);
    table[i] = static_cast<std::uint16_t>(exact - floor < 0.5 ? floor : floor + 1);
  }
  return table;
}();

// For 0 ≤ x = position / 2^15 intervals.
std::int32_t upper_half_q15(std::int64_t position) {
  const std::int64_t interval = position >> 15;
  if (interval >= kIntervals) return kSigmoid_q15[kIntervals];
  const std::int32_t low = kSigmoid_q15[static_cast<std::size_t>(interval)];
  const std::int32_t high = kSigmoid_q15[static_cast<std::size_t>(interval) + 1];
  const auto fraction = static_cast<std::int32_t>(position & 0x7FFF);
  return low + (((high - low) * fraction + (1 << 14)) >> 15);
}

}  // namespace

std::int32_t sigmoid_q15(std::int64_t value, int exponent) {
  const std::int64_t position = scale(value, exponent + kIntervalsAUnitLog2 + 15);
  return position < 0 ? kOne_q15 - upper_half_q15(-position) : upper_half_q15(position);
}

int activate_outputs(std::int16_t* outputs, std::uint32_t n, int exponent, Activation activation) {
  if (activation == Activation::kSigmoid) {
    for (std::uint32_t i = 0; i < n; ++i) {
      outputs[i] = saturate<std::int16_t>(sigmoid_q15(outputs[i], exponent));
    }
    return kUnitExponent;
  }
  if (activation == Activation::kTanh) {
    for (std::uint32_t i = 0; i < n; ++i) {
      // tanh(x) = 2 sigmoid(2x) − 1
      outputs[i] = saturate<std::int16_t>(2 * sigmoid_q15(outputs[i], exponent + 1) - kOne_q15);
    }
    return kUnitExponent;
  }
  return exponent;
}

}  // namespace skep::learn
