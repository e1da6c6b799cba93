#include "skep/privacy/clip.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "skep/config.h"
#include "skep/core/norm.h"
#include "skep/privacy/noise.h"

namespace skep::privacy {
namespace {

__extension__ using Wide = unsigned __int128;

/// Independent of skep/core/norm.h: Σx² * 2^(2e + 32) ≤ C² in 128 bits.
bool is_within(const Delta& delta, Norm bound) {
  Wide sum = 0;
  for (const std::int64_t value : delta.values) sum += static_cast<std::uint64_t>(value * value);
  return sum << 32 <= (Wide{bound.q16} * bound.q16) << (-2 * delta.exponent);
}

long double norm_of(const Delta& delta) {
  long double sum = 0;
  for (const long double value : delta.values) sum += value * value;
  return std::ldexp(std::sqrt(sum), delta.exponent);
}

/// The whole range from the first example on: by itself inRange() starts at its lower end.
template <typename T>
rc::Gen<T> in_range(T low, T end) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, end));
}

/// Values whose magnitudes spread over all octaves, the extremes included.
rc::Gen<std::int16_t> any_value() {
  return rc::gen::exec([] {
    if (*in_range(0, 20) == 0) {
      return *rc::gen::element<std::int16_t>(INT16_MIN, INT16_MAX, -INT16_MAX, 0, 1, -1);
    }
    const auto full = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::int16_t>());
    return static_cast<std::int16_t>(full >> *in_range(0, 16));
  });
}

rc::Gen<std::vector<std::int16_t>> any_values() {
  return rc::gen::nonEmpty(rc::gen::container<std::vector<std::int16_t>>(any_value()));
}

rc::Gen<int> any_exponent() { return in_range(kMinDeltaExponent, kMaxDeltaExponent + 1); }

rc::Gen<Norm> any_norm() {
  return rc::gen::exec([] {
    const auto bits = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
    return Norm{std::max(1U, bits >> *in_range(0, 32))};
  });
}

RC_GTEST_PROP(Clip, NeverExceedsTheBound, ()) {
  std::vector<std::int16_t> values = *any_values();
  const Norm bound = *any_norm();
  const Result<Clipped> clipped = clip({values, *any_exponent(), 3}, bound);
  RC_ASSERT(clipped.ok());
  RC_ASSERT(is_within(clipped->delta(), bound));
  RC_ASSERT(clipped->delta().exponent >= kMinDeltaExponent);
  RC_ASSERT(clipped->delta().exponent <= kMaxDeltaExponent);
  RC_ASSERT(clipped->delta().sample_count == 3U);
  RC_ASSERT(clipped->delta().values.data() == values.data());
}

RC_GTEST_PROP(Clip, LeavesADeltaWithinTheBoundAsItIs, ()) {
  std::vector<std::int16_t> values = *any_values();
  const Delta delta{values, *in_range(kMinDeltaExponent, -5), 1};
  const long double norm_q16 = std::ceil(std::ldexp(norm_of(delta), 16));
  RC_PRE(norm_q16 < UINT32_MAX);
  const auto least = static_cast<std::uint32_t>(norm_q16) + 1;
  const Norm bound{*rc::gen::element(least, UINT32_MAX, *in_range(least, UINT32_MAX))};
  const std::vector<std::int16_t> before = values;
  const Result<Clipped> clipped = clip(delta, bound);
  RC_ASSERT(clipped.ok());
  RC_ASSERT(values == before);
  RC_ASSERT(clipped->delta().exponent == delta.exponent);
}

RC_GTEST_PROP(Clip, KeepsTheDirectionAndAlmostTheWholeBound, ()) {
  std::vector<std::int16_t> values = *any_values();
  const Delta delta{values, *in_range(-20, kMaxDeltaExponent + 1), 1};
  const long double norm_q16 = std::floor(std::ldexp(norm_of(delta), 16));
  RC_PRE(norm_q16 >= 2);
  const auto end = static_cast<std::uint32_t>(std::min(norm_q16, 0x1p32L - 1));
  const Norm bound{*rc::gen::element(1U, end - 1, *in_range(1U, end))};
  const std::vector<std::int16_t> before = values;
  const long double old_norm = norm_of(delta);
  const Result<Clipped> clipped = clip(delta, bound);
  RC_ASSERT(clipped.ok());

  const Delta& result = clipped->delta();
  const long double target = std::ldexp(static_cast<long double>(bound.q16), -16);
  const long double unit = std::ldexp(1.0L, result.exponent);
  const long double rounding = std::sqrt(static_cast<long double>(values.size())) * unit;
  RC_ASSERT(norm_of(result) >= target * (1 - 0x1p-13L) - rounding);
  const long double scale = target / old_norm;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double exact =
        std::ldexp(static_cast<long double>(before[i]), delta.exponent) * scale;
    const long double got = values[i] * unit;
    RC_ASSERT(std::fabs(got) <= std::fabs(exact) * (1 + 0x1p-60L));
    RC_ASSERT(std::fabs(got - exact) <= unit + std::fabs(exact) * 0x1p-13L);
  }
}

TEST(Clip, KeepsItsPrecisionWhenTheScaleIsTiny) {
  // Norm 32,767 * √2 down to 2^-10: with a plain Q15 scale nothing would be left.
  std::vector<std::int16_t> values{32767, -32767, 3000};
  const Result<Clipped> clipped = clip({values, 0, 1}, Norm{64});
  ASSERT_TRUE(clipped.ok());
  EXPECT_GE(values[0], 1 << 14);
  EXPECT_EQ(values[1], -values[0]);
  EXPECT_NEAR(double(values[2]) / values[0], 3000.0 / 32767, 1e-4);
  EXPECT_NEAR(static_cast<double>(norm_of(clipped->delta())), 0x1p-10, 0x1p-23);
}

TEST(Clip, TakesASingleMostNegativeElement) {
  std::vector<std::int16_t> values{INT16_MIN};
  const Result<Clipped> clipped = clip({values, 0, 1}, Norm{65536});
  ASSERT_TRUE(clipped.ok());
  EXPECT_TRUE(is_within(clipped->delta(), Norm{65536}));
  EXPECT_NEAR(static_cast<double>(norm_of(clipped->delta())), 1.0, 0x1p-13);

  values = {INT16_MIN};
  const Result<Clipped> whole = clip({values, -15, 1}, Norm{65536});
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(values[0], INT16_MIN) << "its norm is exactly 1";
  EXPECT_EQ(whole->delta().exponent, -15);
}

TEST(Clip, TakesZeros) {
  std::vector<std::int16_t> values(7, 0);
  for (const int exponent : {kMinDeltaExponent, kMaxDeltaExponent}) {
    const Result<Clipped> clipped = clip({values, exponent, 1}, Norm{1});
    ASSERT_TRUE(clipped.ok());
    EXPECT_EQ(clipped->delta().exponent, exponent);
    EXPECT_EQ(values, std::vector<std::int16_t>(7, 0));
  }
}

TEST(Clip, TakesALargeModelOfExtremes) {
  std::vector<std::int16_t> values(kMaxParameters, INT16_MIN);
  const Result<Clipped> clipped = clip({values, 0, 1}, Norm{65536});
  ASSERT_TRUE(clipped.ok());
  EXPECT_TRUE(is_within(clipped->delta(), Norm{65536}));
  EXPECT_NEAR(static_cast<double>(norm_of(clipped->delta())), 1.0, 0x1p-13);
}

TEST(Clip, IsFixedForEver) {
  // Federations are reproducible from their seed: worked out by hand, to stay.
  // Norm 500 * 2^-8 → 1: scale 0.512 = 16777 * 2^-15; 6 doublings of headroom, so that
  // 300 → 300 * 16777 * 2^6 >> 15 = 9830 in units of 2^(-8 - 6).
  std::vector<std::int16_t> values{300, -400, 0};
  const Result<Clipped> clipped = clip({values, -8, 9}, Norm{65536});
  ASSERT_TRUE(clipped.ok());
  EXPECT_EQ(clipped->delta().exponent, -14);
  EXPECT_EQ(values, (std::vector<std::int16_t>{9830, -13107, 0}));
}

TEST(Clip, RefusesBadInputAndChangesNothing) {
  std::vector<std::int16_t> values{30000, -30000};
  const std::vector<std::int16_t> before = values;
  const Norm one{65536};
  const auto status = [](Delta delta, Norm bound) { return clip(delta, bound).status(); };
  EXPECT_EQ(status({values, 0, 1}, Norm{0}), Status::kInvalidArgument);
  EXPECT_EQ(status({values, 0, 0}, one), Status::kInvalidArgument);
  EXPECT_EQ(status({values, kMaxDeltaExponent + 1, 1}, one), Status::kInvalidArgument);
  EXPECT_EQ(status({values, kMinDeltaExponent - 1, 1}, one), Status::kInvalidArgument);
  EXPECT_EQ(status({values, INT32_MIN, 1}, one), Status::kInvalidArgument);
  EXPECT_EQ(status({{}, 0, 1}, one), Status::kInvalidArgument);
  EXPECT_EQ(values, before);
}

TEST(WithoutNoise, HandsOnTheSameDelta) {
  std::vector<std::int16_t> values{1, -2, 3};
  const Result<Clipped> clipped = clip({values, -10, 5}, Norm{65536});
  ASSERT_TRUE(clipped.ok());
  const Noised noised = without_noise(*clipped);
  EXPECT_EQ(noised.delta().values.data(), values.data());
  EXPECT_EQ(noised.delta().values.size(), 3U);
  EXPECT_EQ(noised.delta().exponent, -10);
  EXPECT_EQ(noised.delta().sample_count, 5U);
}

}  // namespace
}  // namespace skep::privacy
