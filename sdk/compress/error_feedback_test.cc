#include "skep/compress/error_feedback.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "reference_sparse_testing.h"
#include "skep/compress/compressor.h"
#include "testing/deltas.h"

namespace skep::compress {
namespace {

/// Dense values of what was sent, in units of 2^exponent.
std::vector<std::int64_t> dense(const Compressed& sent, std::size_t dimension, int exponent,
                                const Options& options) {
  std::vector<std::int64_t> values(dimension, 0);
  const auto decoded =
      testing::decode(sent.bytes(), static_cast<std::uint32_t>(dimension), options);
  for (const testing::Entry& entry : decoded.content.entries) {
    values[entry.index] = entry.value * (std::int64_t{decoded.content.scale}
                                         << (decoded.content.exponent - exponent));
  }
  return values;
}

std::vector<std::int64_t> in_unit(std::span<const std::int16_t> values, int exponent, int unit) {
  std::vector<std::int64_t> scaled;
  for (const std::int16_t value : values) {
    scaled.push_back(value * (std::int64_t{1} << (exponent - unit)));
  }
  return scaled;
}

bool fits(std::int64_t value) { return value >= INT16_MIN && value <= INT16_MAX; }

/// Gives `feedback` some residual, by a round with K = 1.
void give_residual(ErrorFeedback& feedback, std::vector<std::int16_t>& values, int exponent) {
  const Noised update = testing::noised(values, exponent);
  std::vector<std::uint8_t> out(64);
  const Result<Compressed> sent = compress(update, {1, 4}, out);
  RC_ASSERT(sent.ok());
  RC_ASSERT(feedback.retain(update, *sent, {1, 4}) == Status::kOk);
}

RC_GTEST_PROP(ErrorFeedback, SentAndResidualAreTheUpdateExactly, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_sparse_options(values.size());
  std::vector<std::uint8_t> out(4096);
  const Result<Compressed> sent = compress(update, options, out);
  RC_ASSERT(sent.ok());

  std::vector<std::int16_t> memory(values.size(), 99);
  ErrorFeedback feedback(memory);
  RC_ASSERT(feedback.retain(update, *sent, options) == Status::kOk);
  RC_ASSERT(feedback.exponent() == update.delta().exponent);
  const auto sent_values = dense(*sent, values.size(), feedback.exponent(), options);
  for (std::size_t i = 0; i < values.size(); ++i) {
    RC_ASSERT(sent_values[i] + feedback.residual()[i] == values[i]);
  }
}

RC_GTEST_PROP(ErrorFeedback, AddsToTheNearestValueInTheFinestExponent, ()) {
  auto old_values = *testing::any_values();
  const auto size = old_values.size();
  auto values = *rc::gen::container<std::vector<std::int16_t>>(size, testing::any_value());
  const int exponent = *testing::any_exponent();
  std::vector<std::int16_t> memory(size);
  ErrorFeedback feedback(memory);
  give_residual(feedback, old_values, *testing::any_exponent());

  const int unit = std::min(exponent, feedback.exponent());
  auto exact = in_unit(values, exponent, unit);
  const auto residual = in_unit(feedback.residual(), feedback.exponent(), unit);
  for (std::size_t i = 0; i < size; ++i) exact[i] += residual[i];

  Delta delta{values, exponent, 1};
  RC_ASSERT(feedback.add_to(delta) == Status::kOk);
  RC_ASSERT(delta.exponent >= unit);
  const std::int64_t step = std::int64_t{1} << (delta.exponent - unit);
  bool would_fit_finer = true;
  for (std::size_t i = 0; i < size; ++i) {
    RC_ASSERT(2 * std::abs(values[i] * step - exact[i]) <= step);
    // Rounded to half the step, it must not have fitted everywhere; one below is left to ties.
    if (!fits(exact[i] / std::max<std::int64_t>(step / 2, 1))) would_fit_finer = false;
  }
  if (step > 2)
    RC_ASSERT(!would_fit_finer || std::any_of(exact.begin(), exact.end(), [&](auto x) {
      return !fits(x / (step / 2) + 1) || !fits(x / (step / 2) - 1);
    }));
  if (delta.exponent == unit) RC_ASSERT(in_unit(values, unit, unit) == exact);
}

void expect_conservation(const Options& options) {
  constexpr std::size_t kSize = 200;
  constexpr int kExponent = -14;
  std::vector<std::int16_t> memory(kSize);
  ErrorFeedback feedback(memory);
  std::vector<std::int64_t> trained(kSize, 0);
  std::vector<std::int64_t> sent_in_total(kSize, 0);
  std::vector<std::uint8_t> out(512);
  for (std::uint32_t round = 1; round <= 30; ++round) {
    auto values = testing::gaussian(kSize, round);
    for (auto& value : values) value = static_cast<std::int16_t>(value / 64);
    for (std::size_t i = 0; i < kSize; ++i) trained[i] += values[i];
    Delta delta{values, kExponent, 1};
    ASSERT_EQ(feedback.add_to(delta), Status::kOk);
    ASSERT_EQ(delta.exponent, kExponent) << "small enough that nothing is rounded";
    const Noised update = testing::noised(delta.values, delta.exponent);
    const Result<Compressed> sent = compress(update, options, out);
    ASSERT_TRUE(sent.ok());
    ASSERT_EQ(feedback.retain(update, *sent, options), Status::kOk);
    const auto sent_values = dense(*sent, kSize, kExponent, options);
    for (std::size_t i = 0; i < kSize; ++i) sent_in_total[i] += sent_values[i];
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_EQ(sent_in_total[i] + feedback.residual()[i], trained[i]) << i;
  }
}

TEST(ErrorFeedback, ConservesEverythingOverManyRounds) {
  expect_conservation({20, 8});
  expect_conservation({20, 0, CompressionMode::kTernary});
}

TEST(ErrorFeedback, WithoutAResidualChangesNothing) {
  std::vector<std::int16_t> memory(3, 1234);
  ErrorFeedback feedback(memory);
  EXPECT_EQ(memory, (std::vector<std::int16_t>(3, 0)));
  for (const int exponent : {kMinDeltaExponent, -7, kMaxDeltaExponent}) {
    std::vector<std::int16_t> values{INT16_MIN, INT16_MAX, 1};
    Delta delta{values, exponent, 1};
    EXPECT_EQ(feedback.add_to(delta), Status::kOk);
    EXPECT_EQ(delta.exponent, exponent);
    EXPECT_EQ(values, (std::vector<std::int16_t>{INT16_MIN, INT16_MAX, 1}));
  }
}

TEST(ErrorFeedback, ForgetsOnReset) {
  std::vector<std::int16_t> memory(3);
  ErrorFeedback feedback(memory);
  std::vector<std::int16_t> values{100, 200, 300};
  give_residual(feedback, values, -10);
  EXPECT_NE(memory, (std::vector<std::int16_t>(3, 0)));
  feedback.reset();
  EXPECT_EQ(memory, (std::vector<std::int16_t>(3, 0)));
}

TEST(ErrorFeedback, RaisesTheExponentWhenSumsDoNotFit) {
  std::vector<std::int16_t> memory(2);
  ErrorFeedback feedback(memory);
  std::vector<std::int16_t> old_values{30000, 30001};  // K = 1 takes the first; it leaves a rest
  give_residual(feedback, old_values, -10);
  ASSERT_EQ(memory[1], 30001);
  std::vector<std::int16_t> values{0, 30000};
  Delta delta{values, -10, 1};
  ASSERT_EQ(feedback.add_to(delta), Status::kOk);
  EXPECT_EQ(delta.exponent, -9);
  EXPECT_EQ(values[1], 30000) << "60001 / 2, ties to even";
}

TEST(ErrorFeedback, SaturatesWhereTheExponentEnds) {
  std::vector<std::int16_t> memory(2);
  ErrorFeedback feedback(memory);
  std::vector<std::int16_t> old_values{30000, 30000};
  give_residual(feedback, old_values, kMaxDeltaExponent);
  ASSERT_EQ(memory[1], 30000);
  std::vector<std::int16_t> values{0, 30000};
  Delta delta{values, kMaxDeltaExponent, 1};
  ASSERT_EQ(feedback.add_to(delta), Status::kOk);
  EXPECT_EQ(delta.exponent, kMaxDeltaExponent);
  EXPECT_EQ(values[1], INT16_MAX);
}

TEST(ErrorFeedback, RefusesBadInputAndChangesNothing) {
  std::vector<std::int16_t> memory(3);
  ErrorFeedback feedback(memory);
  std::vector<std::int16_t> old_values{100, 200, 300};
  give_residual(feedback, old_values, -10);
  const std::vector<std::int16_t> residual = memory;

  std::vector<std::int16_t> two{1, 2};
  Delta short_delta{two, -10, 1};
  EXPECT_EQ(feedback.add_to(short_delta), Status::kInvalidArgument);
  std::vector<std::int16_t> three{1, 2, 3};
  for (const int exponent : {kMinDeltaExponent - 1, kMaxDeltaExponent + 1}) {
    Delta delta{three, exponent, 1};
    EXPECT_EQ(feedback.add_to(delta), Status::kInvalidArgument);
    EXPECT_EQ(delta.exponent, exponent);
  }
  EXPECT_EQ(three, (std::vector<std::int16_t>{1, 2, 3}));

  std::vector<std::uint8_t> out(64);
  const Noised other = testing::noised(two, -10);
  const Result<Compressed> sent = compress(other, {2, 16}, out);
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(feedback.retain(other, *sent, {2, 16}), Status::kInvalidArgument) << "another length";
  const Noised update = testing::noised(three, -10);
  std::vector<std::int16_t> negated{-1, -2, -3};
  const Noised opposite = testing::noised(negated, -10);
  const Noised finer = testing::noised(negated, -9);
  std::vector<std::uint8_t> second(64);
  const Result<Compressed> of_update = compress(update, {3, 16}, second);
  ASSERT_TRUE(of_update.ok());
  EXPECT_EQ(feedback.retain(opposite, *of_update, {3, 16}), Status::kInvalidArgument)
      << "other signs";
  EXPECT_EQ(feedback.retain(finer, *of_update, {3, 16}), Status::kInvalidArgument)
      << "a finer exponent";
  EXPECT_EQ(feedback.retain(update, *of_update, {3, 15}), Status::kInvalidArgument)
      << "other options";
  EXPECT_EQ(feedback.retain(update, *of_update, {0, 0, CompressionMode::kInt8, 0, Norm{1}}),
            Status::kInvalidArgument)
      << "a mode without error feedback";
  EXPECT_EQ(memory, residual);
  EXPECT_EQ(feedback.exponent(), -10);
  EXPECT_EQ(feedback.retain(update, *of_update, {3, 16}), Status::kOk);
}

}  // namespace
}  // namespace skep::compress
