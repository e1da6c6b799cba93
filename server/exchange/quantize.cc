#include "quantize.h"

#include <algorithm>
#include <cmath>

#include "skep/learn/layers.h"

namespace skep::exchange {
namespace {

constexpr double kLargestWithHeadroom = (1 << 13) - 1;  // Two bits below int16's range.
constexpr int kExponentOfZeros = -13;

double largest_of(const std::vector<double>& values, const char* what, const std::string& where) {
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw ExchangeError(Status::kInvalidArgument,
                          where + ": " + what + " " + std::to_string(i) + " is " +
                              (std::isnan(values[i]) ? "NaN" : "infinite") +
                              ": expected a finite number");
    }
    largest = std::max(largest, std::fabs(values[i]));
  }
  return largest;
}

/// value / 2^exponent to nearest, ties to even. Exact up to the rounding: a double only changes
/// its exponent.
double rounded(double value, int exponent) { return std::nearbyint(std::ldexp(value, -exponent)); }

int choose_exponent(double largest, const std::string& where) {
  if (largest == 0) return kExponentOfZeros;
  for (int exponent = learn::kMinWeightExponent; exponent <= learn::kMaxWeightExponent;
       ++exponent) {
    if (rounded(largest, exponent) <= kLargestWithHeadroom) return exponent;
  }
  throw ExchangeError(Status::kTooLarge,
                      where + ": a weight or bias of " + std::to_string(largest) +
                          ": expected at most " +
                          std::to_string(static_cast<int>(kLargestWithHeadroom)));
}

void append_little_endian(std::uint32_t value, int bytes, std::vector<std::uint8_t>& blob) {
  for (int i = 0; i < bytes; ++i) blob.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace

void append_quantized(const RealLayer& layer, std::vector<std::uint8_t>& blob) {
  const double largest = std::max(largest_of(layer.weights, "weight", layer.where),
                                  largest_of(layer.biases, "bias", layer.where));
  const int exponent = choose_exponent(largest, layer.where);
  const auto append = [&blob](double value, int bytes) {
    append_little_endian(static_cast<std::uint32_t>(static_cast<std::int32_t>(value)), bytes, blob);
  };
  append(exponent, 2);
  for (const double weight : layer.weights) append(rounded(weight, exponent), 2);
  for (const double bias : layer.biases) {
    append(rounded(bias, exponent - learn::kBiasFractionBits), 4);
  }
}

}  // namespace skep::exchange
