// All modes, from a delta to bytes and back.
#include "skep/compress/decoder.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "reference_scaled_testing.h"
#include "skep/core/norm.h"
#include "testing/modes.h"

namespace skep::compress {
namespace {

using testing::decode_dense;
using testing::Dense;
using testing::encoded;
using testing::kModes;

std::uint32_t size_of(const std::vector<std::int16_t>& values) {
  return static_cast<std::uint32_t>(values.size());
}

RC_GTEST_PROP(Decode, ReadsWhatCompressWrites, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_options_of_any_mode(values.size());
  const auto bytes = encoded(update, options);
  RC_ASSERT(!bytes.empty());
  const Dense dense = decode_dense(bytes, size_of(values), options);
  RC_ASSERT(dense.status == Status::kOk);
  std::uint64_t sum = 0;
  for (const std::int64_t value : dense.values) sum += static_cast<std::uint64_t>(value * value);
  RC_ASSERT(dense.header.sum_of_squares == sum);
}

// Top-K and ternary keep the norm of the clipped delta, the others the bound that they are given.
RC_GTEST_PROP(Decode, GivesANormWithinTheBound, ()) {
  auto values = *testing::any_values();
  const int exponent = *testing::any_exponent();
  Options options = *testing::any_options_of_any_mode(values.size());
  const Delta delta{values, exponent, 1};
  const Result<Clipped> clipped = privacy::clip(delta, options.max_norm);
  RC_ASSERT(clipped.ok());
  const Noised update = privacy::without_noise(*clipped);
  const auto bytes = encoded(update, options);
  const Dense dense = decode_dense(bytes, size_of(values), options);
  RC_ASSERT(dense.status == Status::kOk);
  RC_ASSERT(norm_at_most(dense.header, options.max_norm));
}

bool is_refused_or_canonical(const std::vector<std::uint8_t>& bytes, std::uint32_t dimension,
                             const Options& options) {
  std::vector<std::int32_t> values(decoded_elements(dimension, options.mode));
  const Result<Decoded> decoded = decode(bytes, dimension, options, values);
  if (!decoded.ok()) {
    return decoded.status() == Status::kMalformed ||
           decoded.status() == Status::kUnsupportedVersion;
  }
  if (has_error_feedback(options.mode)) return true;  // sparse_decoder_test.cc
  return testing::encode_scaled(options, *decoded, values) == bytes;
}

RC_GTEST_PROP(Decode, RefusesAlteredBytesOrReadsTheirOneMeaning, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_options_of_any_mode(values.size());
  const auto good = encoded(update, options);
  RC_ASSERT(is_refused_or_canonical(good, size_of(values), options));
  for (int repeat = 0; repeat < 10; ++repeat) {
    auto bytes = good;
    for (int change = *testing::in_range(1, 4); change > 0; --change) {
      // The header is where most rules are.
      const auto position = *testing::in_range<std::size_t>(
          0, *rc::gen::arbitrary<bool>() ? std::min<std::size_t>(4, bytes.size()) : bytes.size());
      bytes[position] = *rc::gen::arbitrary<std::uint8_t>();
    }
    RC_ASSERT(is_refused_or_canonical(bytes, size_of(values), options));
  }
}

RC_GTEST_PROP(Decode, RefusesEveryTruncationAndExtension, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_options_of_any_mode(values.size());
  auto bytes = encoded(update, options);
  bytes.push_back(0);
  RC_ASSERT(decode_dense(bytes, size_of(values), options).status == Status::kMalformed);
  bytes.pop_back();
  while (!bytes.empty()) {
    bytes.pop_back();
    RC_ASSERT(decode_dense(bytes, size_of(values), options).status == Status::kMalformed);
  }
}

TEST(Decode, RefusesEveryModeButTheOneAskedFor) {
  std::vector<std::int16_t> values{1000, -2000, 3000, 4, 5, -6, 7, 8, 9};
  const Noised update = testing::noised(values, -12);
  for (const CompressionMode written : kModes) {
    const auto bytes = encoded(update, testing::options_of(written, 9));
    for (const CompressionMode asked : kModes) {
      EXPECT_EQ(decode_dense(bytes, 9, testing::options_of(asked, 9)).status,
                written == asked ? Status::kOk : Status::kMalformed)
          << name_of(written) << " read as " << name_of(asked);
    }
    for (const unsigned format : {0U, 6U, 15U}) {
      auto unknown = bytes;
      unknown[0] = static_cast<std::uint8_t>(format << 4 | (bytes[0] & 15U));
      EXPECT_EQ(decode_dense(unknown, 9, testing::options_of(written, 9)).status,
                Status::kUnsupportedVersion);
    }
  }
}

TEST(Decode, RefusesScaledHeadersOutOfRange) {
  std::vector<std::int16_t> values(10, 77);
  const Noised update = testing::noised(values, -12);
  for (const CompressionMode mode :
       {CompressionMode::kInt8, CompressionMode::kEden, CompressionMode::kRandomK}) {
    const Options options = testing::options_of(mode, 10);
    const auto good = encoded(update, options);
    const auto with = [&](std::size_t position, std::uint8_t byte) {
      auto bytes = good;
      bytes[position] = byte;
      return decode_dense(bytes, 10, options).status;
    };
    EXPECT_EQ(with(0, static_cast<std::uint8_t>(good[0] | 1)), Status::kMalformed);
    EXPECT_EQ(with(1, 32), Status::kOk);
    EXPECT_EQ(with(1, 33), Status::kMalformed);
    EXPECT_EQ(with(1, 255), Status::kMalformed);
    auto zero = good;
    zero[2] = zero[3] = 0;
    EXPECT_EQ(decode_dense(zero, 10, options).status, Status::kMalformed) << "nothing with content";
    std::fill(zero.begin() + 4, zero.end(), std::uint8_t{0});
    EXPECT_EQ(decode_dense(zero, 10, options).status, Status::kOk);
  }
}

TEST(Decode, RefusesTheCodeOfTheMostNegativeValue) {
  std::vector<std::int16_t> values{100, 50};
  const Noised update = testing::noised(values, -12);
  auto int8 = encoded(update, testing::options_of(CompressionMode::kInt8, 2));
  int8[4] = 0x80;
  EXPECT_EQ(decode_dense(int8, 2, testing::options_of(CompressionMode::kInt8, 2)).status,
            Status::kMalformed);
  const Options random_k{.keep_count = 2,
                         .value_bits = 8,
                         .mode = CompressionMode::kRandomK,
                         .max_norm = Norm{UINT32_MAX}};
  auto chosen = encoded(update, random_k);
  chosen[4] = 0x80;
  EXPECT_EQ(decode_dense(chosen, 2, random_k).status, Status::kMalformed);
}

TEST(Decode, RefusesBadArguments) {
  std::vector<std::int16_t> values{1, 2, 3};
  const Noised update = testing::noised(values, -12);
  for (const CompressionMode mode : kModes) {
    const Options options = testing::options_of(mode, 3);
    const auto bytes = encoded(update, options);
    std::vector<std::int32_t> room(decoded_elements(3, mode));
    EXPECT_TRUE(decode(bytes, 3, options, room).ok());
    EXPECT_EQ(decode(bytes, 3, options, std::span(room).first(room.size() - 1)).status(),
              Status::kInvalidArgument);
    EXPECT_EQ(decode(bytes, 0, options, room).status(), Status::kInvalidArgument);
    EXPECT_EQ(decode(bytes, kMaxParameters + 1, options, room).status(), Status::kInvalidArgument);
  }
}

// ---- against float64

std::vector<double> as_doubles(const Delta& delta) {
  std::vector<double> x;
  for (const std::int16_t value : delta.values) x.push_back(std::ldexp(value, delta.exponent));
  return x;
}

/// Training gives values that use int16's range.
std::vector<std::int16_t> large_values() {
  auto values = *testing::any_values();
  values[0] = 30000;
  return values;
}

RC_GTEST_PROP(Int8, IsWithinAStepOfTheValue, ()) {
  auto values = large_values();
  const Noised update = testing::noised(values, *testing::in_range(-16, -3));
  const Options options =
      testing::options_of(CompressionMode::kInt8, size_of(values), *rc::gen::arbitrary<unsigned>());
  const Dense dense = decode_dense(encoded(update, options), size_of(values), options);
  const auto x = as_doubles(update.delta());
  double largest = 0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  // The step is the 127th part of the largest, rounded up to 16 bits.
  RC_ASSERT(dense.unit() >= largest / 127);
  RC_ASSERT(dense.unit() < largest / 127 * (1 + std::ldexp(1, -14)));
  for (std::size_t i = 0; i < x.size(); ++i) {
    RC_ASSERT(std::abs(dense[i] - x[i]) < dense.unit());
    if (x[i] == 0) RC_ASSERT(dense.values[i] == 0);
  }
}

RC_GTEST_PROP(RandomK, IsTheChosenElementsTimesDOverK, ()) {
  auto values = large_values();
  const std::uint32_t dimension = size_of(values);
  const Noised update = testing::noised(values, *testing::in_range(-12, -9));
  Options options = *testing::any_options(values.size());
  options.mode = CompressionMode::kRandomK;
  options.seed = *rc::gen::arbitrary<std::uint32_t>();
  options.max_norm = Norm{UINT32_MAX};
  const Dense dense = decode_dense(encoded(update, options), dimension, options);
  const auto x = as_doubles(update.delta());
  const double factor = double(dimension) / options.keep_count;

  double norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) norm += dense[i] * dense[i];
  RC_PRE(std::sqrt(norm) < 65000);  // else the scale was lowered to the bound
  std::vector<bool> is_chosen(dimension);
  double largest = 0;
  Mask mask(dimension, options.keep_count, options.seed);
  for (std::uint32_t i = 0; i < options.keep_count; ++i) {
    const std::uint32_t index = mask.next();
    is_chosen[index] = true;
    largest = std::max(largest, std::abs(x[index]));
  }
  // One step is at most twice what the largest needs; the scale has 16 bits.
  const double step =
      std::max(2 * largest / max_value(options.value_bits), std::ldexp(1, update.delta().exponent));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = is_chosen[i] ? x[i] * factor : 0;
    const double tolerance =
        is_chosen[i] ? factor * (step + std::abs(x[i]) * std::ldexp(1, -15)) : 0;
    RC_ASSERT(std::abs(dense[i] - expected) <= tolerance);
  }
}

/// H D x in float64.
std::vector<double> rotated(const std::vector<double>& x, std::uint32_t seed) {
  std::vector<double> y(padded_dimension(static_cast<std::uint32_t>(x.size())));
  for (std::uint32_t i = 0; i < x.size(); ++i) {
    y[i] = (random_signs(seed, i / 32) >> (i % 32) & 1U) != 0 ? -x[i] : x[i];
  }
  for (std::size_t half = 1; half < y.size(); half *= 2) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      if ((i & half) != 0) continue;
      const double a = y[i];
      const double b = y[i + half];
      y[i] = a + b;
      y[i + half] = a - b;
    }
  }
  return y;
}

// What the transform rounds away in all, in units of the delta: hadamard_test.cc derives
// log2(n) * n / 2 an element at most; an element of INT16_MIN adds n.
double rotation_error(std::uint32_t padded, double unit) {
  const double stages = std::log2(padded);
  return unit * (stages * padded / 2 + padded);
}

RC_GTEST_PROP(Eden, SendsTheSignsOfTheRotationAndTheScaleOfTheProjection, ()) {
  auto values = large_values();
  const std::uint32_t dimension = size_of(values);
  const Noised update = testing::noised(values, *testing::in_range(-14, -9));
  const Options options =
      testing::options_of(CompressionMode::kEden, dimension, *rc::gen::arbitrary<unsigned>());
  const auto bytes = encoded(update, options);
  const Dense dense = decode_dense(bytes, dimension, options);
  const auto x = as_doubles(update.delta());
  const auto y = rotated(x, options.seed);
  const auto padded = static_cast<std::uint32_t>(y.size());
  const double error = rotation_error(padded, std::ldexp(1, update.delta().exponent));

  double magnitudes = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    magnitudes += std::abs(y[i]);
    const bool is_negative = (bytes[4 + i / 8] >> (7 - i % 8) & 1U) != 0;
    if (std::abs(y[i]) > error) RC_ASSERT(is_negative == (y[i] < 0));
  }
  double norm_squared = 0;
  double projection = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    norm_squared += x[i] * x[i];
    projection += x[i] * dense[i];
  }
  RC_PRE(dense.unit() * padded < 65000);  // else the scale was lowered to the bound
  // <x, decoded> = |x|²: the scale is off by its 16 bits and the error in Σ|y|; signs that differ
  // cost twice the error at most.
  const double relative = std::ldexp(1, -15) + 3 * error * padded / magnitudes;
  RC_ASSERT(std::abs(projection - norm_squared) <= norm_squared * relative);
}

TEST(Eden, MeetsTheTablesSizeOfDigits) {
  const Options options = testing::options_of(CompressionMode::kEden, 2410);
  EXPECT_EQ(max_compressed_bytes(2410, options), 516U);
  EXPECT_EQ(scratch_elements(2410, CompressionMode::kEden), 4096U);
}

TEST(Modes, ScaledFormatsAreFixedForEver) {
  // Every later version must still write and read these bytes.
  std::vector<std::int16_t> values{5, -400, 300, 0, 20, -30, 900, 1};
  const Noised update = testing::noised(values, -12);
  const auto bytes_of = [&](CompressionMode mode) {
    return encoded(update, testing::options_of(mode, 8, 7));
  };
  // A step of 900 / 127 units of 2^-12 is 58,054 * 2^-25: 0.7, −56.4, 42.3, 0, 2.8, −4.2, 127, 0.1.
  EXPECT_EQ(bytes_of(CompressionMode::kInt8),
            (std::vector<std::uint8_t>{0x30, 25, 0xC6, 0xE2, 1, 0xC8, 42, 0, 3, 0xFC, 127, 0}));
  // Σx² / Σ|y| is 1,061,326 / 7,200 = 147.4 units of 2^-12, which is 37,736 * 2^-20.
  EXPECT_EQ(bytes_of(CompressionMode::kEden),
            (std::vector<std::uint8_t>{0x40, 20, 0x68, 0x93, 0xC3}));
  // 5, −400 and 900 are chosen and halved; 8 / 3 is 43,690 * 2^-14.
  //   0000000011 1100111000 0111000010 00
  EXPECT_EQ(bytes_of(CompressionMode::kRandomK),
            (std::vector<std::uint8_t>{0x50, 25, 0xAA, 0xAA, 0x00, 0xF3, 0x87, 0x08}));
}

TEST(Modes, TakeTheLargestModel) {
  auto values = testing::laplace(kMaxParameters, 1);
  const Noised update = testing::noised(values, -20);
  for (const CompressionMode mode : kModes) {
    const Options options = testing::options_of(mode, kMaxParameters);
    const Dense dense = decode_dense(encoded(update, options), kMaxParameters, options);
    EXPECT_EQ(dense.status, Status::kOk) << name_of(mode);
  }
}

TEST(Modes, OfNothingAreNothing) {
  std::vector<std::int16_t> values(20, 0);
  const Noised update = testing::noised(values, -12);
  for (const CompressionMode mode : kModes) {
    const Options options = testing::options_of(mode, 20);
    const Dense dense = decode_dense(encoded(update, options), 20, options);
    EXPECT_EQ(dense.status, Status::kOk);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(dense[i], 0.0) << name_of(mode);
  }
}

TEST(Modes, NeedTheirRoom) {
  std::vector<std::int16_t> values(20, 300);
  const Noised update = testing::noised(values, -12);
  for (const CompressionMode mode : kModes) {
    const Options options = testing::options_of(mode, 20);
    const auto bytes = encoded(update, options);
    std::vector<std::int16_t> scratch(scratch_elements(20, mode));
    std::vector<std::uint8_t> out(bytes.size() - 1, 0xA5);
    EXPECT_EQ(compress(update, options, out, scratch).status(), Status::kNoMemory);
    EXPECT_EQ(out, std::vector<std::uint8_t>(bytes.size() - 1, 0xA5));
  }
  const Options eden = testing::options_of(CompressionMode::kEden, 20);
  std::vector<std::int16_t> scratch(31);
  std::vector<std::uint8_t> out(8, 0xA5);
  EXPECT_EQ(compress(update, eden, out, scratch).status(), Status::kNoMemory);
  EXPECT_EQ(out, std::vector<std::uint8_t>(8, 0xA5));
}

TEST(PublicSeed, DependsOnRoundAndEveryByteOfDigestAndName) {
  const std::vector<std::uint8_t> digest(32, 3);
  const std::uint32_t seed = public_seed(7, digest, "bee-1");
  EXPECT_EQ(seed, public_seed(7, digest, "bee-1"));
  EXPECT_NE(seed, public_seed(8, digest, "bee-1"));
  EXPECT_NE(seed, public_seed(7, digest, "bee-2"));
  EXPECT_NE(seed, public_seed(7, digest, "bee-"));
  for (std::size_t i = 0; i < digest.size(); ++i) {
    auto other = digest;
    other[i] = 4;
    EXPECT_NE(seed, public_seed(7, other, "bee-1")) << i;
  }
}

}  // namespace
}  // namespace skep::compress
