// The kernels that this core was built with, against their definition, the portable ones, and a
// digest that is the same on every core.
#include "kernels.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "fixed_point.h"
#include "kernels_portable.h"
#include "skep/core/crc32.h"
#include "skep/core/prng.h"
#include "support/test_board.h"

namespace skep::firmware_test {
namespace {

namespace kernels = learn::kernels;
namespace portable = learn::kernels_portable;

#if defined(__ARM_FEATURE_DSP)
constexpr bool kHasDsp = true;
#else
constexpr bool kHasDsp = false;
#endif

constexpr std::uint32_t kMaxLength = 67;  // odd, and more than any unrolled loop takes at once
constexpr std::uint32_t kRounds = 4000;
// Made by the portable kernels on x86-64; change it only with the algorithm.
constexpr std::uint32_t kDigest = 2127309457;

using Row = std::array<std::int16_t, kMaxLength + 1>;
using Gradient = std::array<std::int64_t, kMaxLength>;

struct Case {
  Row w;
  Row x;
  Gradient gradient;
  std::uint32_t length;
  std::uint32_t shift;  // 0 or 1: rows may begin between two words
  std::int32_t step;
  std::int16_t delta;
  std::uint32_t random;
};

std::int16_t draw_value(Xorshift32& generator) {
  constexpr std::array<std::int16_t, 8> kExtremes{INT16_MIN, INT16_MAX, 0,      -1,
                                                  16383,     16384,     -16384, -16385};
  const std::uint32_t draw = generator.next();
  return draw % 5 == 0 ? kExtremes[draw >> 29U] : static_cast<std::int16_t>(draw >> 16U);
}

std::int32_t draw_step(Xorshift32& generator) {
  constexpr std::array<std::int32_t, 4> kExtremes{INT32_MAX, -INT32_MAX, 0, 1};
  const std::uint32_t draw = generator.next();
  if (draw % 5 == 0) return kExtremes[draw >> 30U];
  const auto step = static_cast<std::int32_t>(generator.next());
  return std::max(draw % 5 == 1 ? step >> 12 : step, -INT32_MAX);
}

Case draw_case(Xorshift32& generator) {
  Case drawn{};
  for (std::int16_t& value : drawn.w) value = draw_value(generator);
  for (std::int16_t& value : drawn.x) value = draw_value(generator);
  drawn.gradient.fill(-7);
  drawn.length = generator.next() % kMaxLength + 1;
  drawn.shift = generator.next() >> 31U;
  drawn.step = draw_step(generator);
  drawn.delta = draw_value(generator);
  drawn.random = generator.next();
  return drawn;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

// The definition in kernels_portable.h, written with divisions. Returns whether a weight left
// [−2^14, 2^14).
bool update_by_definition(Case& on) {
  bool grown = false;
  Xorshift32 generator(on.random);
  for (std::uint32_t i = 0; i < on.length; ++i) {
    if (i % 2 == 0) on.random = generator.next();
    const std::int64_t r = i % 2 == 0 ? on.random % 65536 : on.random / 65536;
    std::int16_t& w = on.w[on.shift + i];
    on.gradient[i] += std::int64_t{w} * on.delta;
    const std::int64_t t = floor_divide(std::int64_t{on.step} * on.x[on.shift + i], 65536);
    const std::int64_t moved =
        std::clamp<std::int64_t>(w - floor_divide(t + r, 65536), INT16_MIN, INT16_MAX);
    w = static_cast<std::int16_t>(moved);
    grown = grown || moved < -16384 || moved > 16383;
  }
  return grown;
}

bool is_same(const Case& a, const Case& b, bool with_gradient) {
  return a.w == b.w && a.random == b.random && (!with_gradient || a.gradient == b.gradient);
}

// Runs update() and update_with_gradient() of one implementation against `expected`.
template <auto update, auto update_with_gradient>
bool agrees(const Case& before, const Case& expected, bool expected_grown) {
  Case plain = before;
  const bool plain_grown =
      update(&plain.w[plain.shift], &plain.x[plain.shift], plain.length, plain.step, plain.random);
  Case full = before;
  const bool full_grown =
      update_with_gradient(&full.w[full.shift], &full.x[full.shift], full.gradient.data(),
                           full.length, full.step, full.delta, full.random);
  return plain_grown == expected_grown && full_grown == expected_grown &&
         is_same(plain, expected, false) && is_same(full, expected, true);
}

std::int64_t dot_by_definition(const std::int16_t* a, const std::int16_t* b, std::uint32_t length) {
  std::int64_t sum = 0;
  for (std::uint32_t i = 0; i < length; ++i) sum += std::int64_t{a[i]} * b[i];
  return sum;
}

// Rows of each parity and number that the kernels treat apart, overlapping as a convolution's do.
template <auto multiply_rows>
bool multiplies_rows(const Case& on) {
  const std::int16_t* const rows = &on.w[on.shift];
  const std::int16_t* const x = &on.x[on.shift];
  const std::uint32_t count = std::min<std::uint32_t>(on.length, on.random % 6 + 1);
  const std::uint32_t n = (on.length - count) / 2 + 1;
  const std::uint32_t stride = count < 2 ? 0 : on.random / 8 % ((on.length - n) / (count - 1) + 1);
  std::array<std::int64_t, 6> sums{};
  multiply_rows(rows, stride, count, x, n, sums.data());
  for (std::uint32_t r = 0; r < count; ++r) {
    if (sums[r] != dot_by_definition(rows + r * stride, x, n)) return false;
  }
  return true;
}

// As many positions as fit, `a` forwards and `b` backwards.
template <auto multiply_channels>
bool multiplies_channels(const Case& on) {
  const std::uint32_t channels = on.random % on.length + 1;
  const std::uint32_t count = on.length / channels;
  const auto stride = static_cast<std::int32_t>(channels);
  const std::int16_t* const a = &on.w[on.shift];
  const std::int16_t* const last = &on.x[on.shift] + (count - 1) * channels;
  Gradient sums = on.gradient;
  multiply_channels(a, last, {static_cast<std::int32_t>(count), stride, -stride}, channels,
                    sums.data());
  Gradient expected = on.gradient;
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t c = 0; c < channels; ++c) {
      expected[c] += std::int64_t{a[i * channels + c]} * *(last - i * channels + c);
    }
  }
  return sums == expected;
}

// Written in assembly where the core has it.
void check_round_shift(std::int64_t value) {
  for (int shift = 1; shift < 32; ++shift) {
    const std::int64_t fitting = value >> (33 - shift);
    require(learn::round_shift(fitting, shift) == learn::scale(fitting, -shift), "round_shift");
  }
}

template <typename T>
std::uint32_t digest_of(const T& content, std::uint32_t digest) {
  return crc32({reinterpret_cast<const std::uint8_t*>(&content), sizeof content}, digest);
}

std::uint32_t check_one(const Case& before, std::uint32_t digest) {
  const std::int64_t product =
      dot_by_definition(&before.w[before.shift], &before.x[before.shift], before.length);
  require(multiplies_rows<portable::multiply_rows>(before), "portable multiply_rows");
  require(multiplies_rows<kernels::multiply_rows>(before), "multiply_rows");
  require(multiplies_channels<portable::multiply_channels>(before), "portable multiply_channels");
  require(multiplies_channels<kernels::multiply_channels>(before), "multiply_channels");
  check_round_shift(product * before.step);

  Case expected = before;
  const bool grown = update_by_definition(expected);
  const bool portable_agrees =
      agrees<portable::update, portable::update_with_gradient>(before, expected, grown);
  const bool chosen_agrees =
      agrees<kernels::update, kernels::update_with_gradient>(before, expected, grown);
  require(portable_agrees, "portable update");
  require(chosen_agrees, "update");
  digest = digest_of(expected.w, digest_of(product, digest));
  return digest_of(expected.gradient, digest_of(expected.random, digest));
}

void check_a_large_sum() {
  static std::array<std::int16_t, 30'000> extreme;
  extreme.fill(INT16_MIN);
  const auto expected = static_cast<std::int64_t>(extreme.size()) << 30U;
  std::int64_t sum = 0;
  kernels::multiply_rows(extreme.data(), 0, 1, extreme.data(), extreme.size(), &sum);
  require(sum == expected, "large sum");
}

}  // namespace
}  // namespace skep::firmware_test

int main() {
  using namespace skep::firmware_test;
  skep::Xorshift32 generator(1);
  std::uint32_t digest = 0;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    digest = check_one(draw_case(generator), digest);
  }
  check_a_large_sum();
  report({"kernels", {"dsp", kHasDsp ? 1U : 0U}, {"cases", kRounds}, {"digest", digest}});
  finish(digest == kDigest);
}
