// Int8, EDEN and random-K are right in the mean over their random choices. The seeds are fixed;
// the bounds are such that random ones would break one with a probability below 10^-9.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "skep/core/prng.h"
#include "testing/modes.h"

namespace skep::compress {
namespace {

using testing::Dense;

constexpr std::uint32_t kDraws = 4000;
constexpr double kProbability = 1e-9;
constexpr int kExponent = -12;

/// The decoded deltas of kDraws seeds: their mean, and how far one is from the delta at most.
struct Experiment {
  Experiment(CompressionMode mode, std::vector<std::int16_t> values)
      : dimension(static_cast<std::uint32_t>(values.size())), mean(values.size()) {
    for (const std::int16_t value : values) x.push_back(std::ldexp(value, kExponent));
    const Noised update = testing::noised(values, kExponent);
    for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
      options = testing::options_of(mode, dimension, mix_seed(draw, 99));
      const Dense dense =
          testing::decode_dense(testing::encoded(update, options), dimension, options);
      EXPECT_EQ(dense.status, Status::kOk);
      double squares = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        mean[i] += dense[i] / kDraws;
        squares += (dense[i] - x[i]) * (dense[i] - x[i]);
      }
      largest_error = std::max(largest_error, std::sqrt(squares));
      unit = dense.unit();
    }
  }

  /// How far the mean of kDraws numbers from an interval of that length may be off, one of
  /// `dimension` (Hoeffding 1963, theorem 2).
  [[nodiscard]] double deviation(double interval) const {
    return interval * std::sqrt(std::log(2 * dimension / kProbability) / (2 * kDraws));
  }

  std::uint32_t dimension;
  Options options{};
  std::vector<double> x;
  std::vector<double> mean;
  double largest_error = 0;
  double unit = 0;
};

std::vector<std::int16_t> mixed_values() {
  auto values = testing::laplace(100, 3);
  values[0] = 0;
  values[1] = 1;
  values[2] = -1;
  values[3] = 32767;
  return values;
}

TEST(Unbiased, Int8) {
  const Experiment experiment(CompressionMode::kInt8, mixed_values());
  for (std::size_t i = 0; i < experiment.x.size(); ++i) {
    EXPECT_NEAR(experiment.mean[i], experiment.x[i], experiment.deviation(experiment.unit)) << i;
  }
}

TEST(Unbiased, RandomK) {
  const Experiment experiment(CompressionMode::kRandomK, mixed_values());
  const double factor = double(experiment.dimension) / experiment.options.keep_count;
  for (std::size_t i = 0; i < experiment.x.size(); ++i) {
    const double x = std::abs(experiment.x[i]);
    // Nothing, or the element rounded up or down, whose step is below the unit's two octaves; the
    // scale is d / K to 16 bits.
    const double interval = x * factor + 2 * experiment.unit;
    EXPECT_NEAR(experiment.mean[i], experiment.x[i],
                experiment.deviation(interval) + x * std::ldexp(1, -15))
        << i;
  }
}

/// |mean − x| of independent errors of at most `largest` has this bound (Pinelis 1994, theorem 3.5:
/// Hoeffding's for vectors).
double vector_deviation(double largest) {
  return largest * std::sqrt(2 * std::log(2 / kProbability) / kDraws);
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

// Exactly unbiased by symmetry: permuting indices by an exclusive-or only permutes the transform's
// signs, and all elements have one magnitude.
TEST(Unbiased, EdenOfOneMagnitude) {
  std::vector<std::int16_t> values(128);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 3 == 0 ? -20000 : 20000;
  const Experiment experiment(CompressionMode::kEden, values);
  EXPECT_LE(distance(experiment.mean, experiment.x), vector_deviation(experiment.largest_error));
}

// Of other vectors it is unbiased for uniformly random rotations; the randomised Hadamard
// transform comes so near that the same bound holds, dense or padded.
TEST(Unbiased, EdenOfLaplaceAndPadding) {
  for (const std::size_t dimension : {100U, 130U, 256U}) {
    const Experiment experiment(CompressionMode::kEden, testing::laplace(dimension, 5));
    EXPECT_LE(distance(experiment.mean, experiment.x), vector_deviation(experiment.largest_error))
        << dimension;
  }
}

}  // namespace
}  // namespace skep::compress
