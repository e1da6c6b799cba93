// Deltas for tests: arbitrary ones, ones that look like training, and the way to a Noised.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "skep/compress/compressor.h"
#include "skep/flow.h"

namespace skep::compress::testing {

/// Through the real flow, with the largest bound there is: a norm below 65,536 passes unchanged.
inline Noised noised(std::span<std::int16_t> values, int exponent, std::uint32_t samples = 1) {
  const Result<Clipped> clipped = privacy::clip({values, exponent, samples}, Norm{UINT32_MAX});
  return privacy::without_noise(clipped.value());
}

/// The whole range from the first example on: by itself inRange() starts at its lower end.
template <typename T>
rc::Gen<T> in_range(T low, T end) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, end));
}

/// Values whose magnitudes spread over all octaves, with many ties and the extremes.
inline rc::Gen<std::int16_t> any_value() {
  return rc::gen::exec([] {
    if (*in_range(0, 20) == 0) {
      return *rc::gen::element<std::int16_t>(INT16_MIN, INT16_MAX, -INT16_MAX, 0, 1, -1);
    }
    const auto full = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::int16_t>());
    return static_cast<std::int16_t>(full >> *in_range(0, 16));
  });
}

inline rc::Gen<std::vector<std::int16_t>> any_values() {
  return rc::gen::exec([] {
    const auto size = *rc::gen::inRange<std::size_t>(1, 300);
    return *rc::gen::container<std::vector<std::int16_t>>(size, any_value());
  });
}

/// Low enough that noised() changes nothing for any_values().
inline rc::Gen<int> any_exponent() { return in_range(kMinDeltaExponent, -3); }

inline rc::Gen<Options> any_options(std::size_t dimension) {
  return rc::gen::exec([dimension] {
    const auto count =
        *rc::gen::inRange<std::uint32_t>(1, static_cast<std::uint32_t>(dimension) + 1);
    return Options{count, static_cast<std::uint8_t>(*in_range(kMinValueBits, kMaxValueBits + 1))};
  });
}

/// Of top-K or ternary.
inline rc::Gen<Options> any_sparse_options(std::size_t dimension) {
  return rc::gen::exec([dimension] {
    Options options = *any_options(dimension);
    if (*rc::gen::arbitrary<bool>()) {
      options.mode = CompressionMode::kTernary;
      options.value_bits = 0;
    }
    return options;
  });
}

/// d independent values of a normal distribution whose largest is near int16's.
inline std::vector<std::int16_t> gaussian(std::size_t size, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> distribution(0, 8000);
  std::vector<std::int16_t> values(size);
  for (auto& value : values) {
    value = static_cast<std::int16_t>(std::clamp(distribution(generator), -32767.0, 32767.0));
  }
  return values;
}

/// The same with the heavier tails of real updates.
inline std::vector<std::int16_t> laplace(std::size_t size, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::exponential_distribution<double> distribution(1.0 / 3000);
  std::vector<std::int16_t> values(size);
  for (auto& value : values) {
    const double magnitude = std::min(distribution(generator), 32767.0);
    value = static_cast<std::int16_t>((generator() & 1U) != 0 ? magnitude : -magnitude);
  }
  return values;
}

}  // namespace skep::compress::testing
