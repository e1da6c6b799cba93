#include "softmax.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace skep::learn {
namespace {

struct Logits {
  std::vector<std::int16_t> values;
  int exponent = 0;
};

Logits random_logits() {
  const auto n = *rc::gen::inRange<std::size_t>(1, 64);
  const int bits = *rc::gen::inRange(1, 16);
  const auto value = rc::gen::inRange<int>(-(1 << bits), 1 << bits);
  Logits logits;
  for (std::size_t i = 0; i < n; ++i) {
    logits.values.push_back(static_cast<std::int16_t>(std::clamp(*value, -32768, 32767)));
  }
  logits.exponent = *rc::gen::inRange(-36, 20);
  return logits;
}

double sum_of(const Logits& logits) {
  double sum = 0;
  const int top = largest(logits.values);
  for (const int value : logits.values) sum += std::exp(std::ldexp(value - top, logits.exponent));
  return sum;
}

TEST(Softmax, ExponentialIsAccurateOverItsWholeRange) {
  for (int below = 0; below >= -65535; below -= 13) {
    for (const int exponent : {-30, -16, -13, -11, -8, 0}) {
      const double exact = std::exp(std::ldexp(below, exponent));
      const double got = std::ldexp(exponential_q30(below, exponent), -30);
      ASSERT_NEAR(got, exact, exact * 1.6e-4 + std::ldexp(1, -30)) << below << " " << exponent;
    }
  }
}

TEST(Softmax, ExponentialOfZeroIsExactlyOneAndOfFarBelowZero) {
  for (int exponent = -600; exponent <= 600; ++exponent) {
    EXPECT_EQ(exponential_q30(0, exponent), 1U << 30);
    if (exponent >= -9) {
      EXPECT_EQ(exponential_q30(-65535, exponent), 0U);
    }
    if (exponent <= -60) {
      EXPECT_EQ(exponential_q30(-65535, exponent), 1U << 30);
    }
  }
}

TEST(Softmax, ExponentialNeverRises) {
  std::uint32_t previous = 1U << 30;
  for (int below = 0; below >= -65535; --below) {
    const std::uint32_t now = exponential_q30(below, -12);
    // Neighbouring cubic pieces and roundings may cross by their error, no more.
    ASSERT_LE(now, previous + (previous >> 13) + 1) << below;
    previous = now;
  }
}

RC_GTEST_PROP(Softmax, GradientIsProbabilityMinusOneHot, ()) {
  const Logits logits = random_logits();
  const std::size_t n = logits.values.size();
  const auto label = *rc::gen::inRange<std::uint16_t>(0, static_cast<std::uint16_t>(n));
  std::vector<std::int64_t> terms(n);
  std::vector<std::int16_t> gradient(n);
  const std::uint64_t sum = sum_exponentials(logits.values, logits.exponent, terms.data());
  softmax_gradient(terms, sum, label, gradient.data());
  const double exact_sum = sum_of(logits);
  const int top = largest(logits.values);
  for (std::size_t i = 0; i < n; ++i) {
    const double p = std::exp(std::ldexp(logits.values[i] - top, logits.exponent)) / exact_sum;
    const double exact = p - (i == label ? 1 : 0);
    // Two exponentials of relative error 1.6e-4, rounding to Q15, and 1 − 2^-15 for 1.
    RC_ASSERT(std::abs(gradient[i] / 32768.0 - exact) <= 3.2e-4 * p + 1.6 / 32768);
  }
}

RC_GTEST_PROP(Softmax, CrossEntropyIsAsAccurateAsPromised, ()) {
  const Logits logits = random_logits();
  const auto n = static_cast<std::uint16_t>(logits.values.size());
  const auto label = *rc::gen::inRange<std::uint16_t>(0, n);
  const std::uint64_t sum = sum_exponentials(logits.values, logits.exponent, nullptr);
  const double got = cross_entropy_q16(logits.values, logits.exponent, sum, label) / 65536.0;
  const double distance =
      std::ldexp(largest(logits.values) - logits.values[label], logits.exponent);
  const double exact = std::min(std::log(sum_of(logits)) + distance, 65536.0);
  RC_ASSERT(std::abs(got - exact) <= 4e-4 + exact * 1e-4);
}

TEST(Softmax, CrossEntropySaturates) {
  const std::vector<std::int16_t> logits{INT16_MAX, INT16_MIN};
  for (const int exponent : {1, 30, 400}) {
    const std::uint64_t sum = sum_exponentials(logits, exponent, nullptr);
    EXPECT_EQ(cross_entropy_q16(logits, exponent, sum, 1), UINT32_MAX);
    EXPECT_EQ(cross_entropy_q16(logits, exponent, sum, 0), 0U);
  }
}

TEST(Softmax, ThousandsOfEqualClasses) {
  const std::vector<std::int16_t> logits(4096, -5);
  std::vector<std::int64_t> terms(logits.size());
  std::vector<std::int16_t> gradient(logits.size());
  const std::uint64_t sum = sum_exponentials(logits, -3, terms.data());
  softmax_gradient(terms, sum, 17, gradient.data());
  EXPECT_EQ(gradient[0], 8);  // 2^15 / 4096
  EXPECT_EQ(gradient[17], 8 - 32768);
  EXPECT_NEAR(cross_entropy_q16(logits, -3, sum, 17) / 65536.0, std::log(4096.0), 1e-4);
}

}  // namespace
}  // namespace skep::learn
