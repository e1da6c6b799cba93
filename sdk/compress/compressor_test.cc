#include "skep/compress/compressor.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "reference_sparse_testing.h"
#include "skep/compress/decoder.h"
#include "skep/core/norm.h"
#include "testing/deltas.h"

namespace skep::compress {
namespace {

using testing::Content;
using testing::Entry;

std::vector<std::uint8_t> compress_all(const Noised& update, const Options& options) {
  const auto dimension = static_cast<std::uint32_t>(update.delta().values.size());
  std::vector<std::uint8_t> out(max_compressed_bytes(dimension, options));
  const Result<Compressed> compressed = compress(update, options, out);
  EXPECT_TRUE(compressed.ok());
  EXPECT_EQ(compressed->bytes().data(), out.data());
  out.resize(compressed->bytes().size());
  return out;
}

RC_GTEST_PROP(Compress, WritesTheBytesOfTheReference, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_sparse_options(values.size());
  const Content expected = testing::select(update.delta(), options);
  RC_ASSERT(compress_all(update, options) == testing::encode(expected));
}

RC_GTEST_PROP(Compress, IsReadBackByTheDecoder, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_sparse_options(values.size());
  const auto decoded = testing::decode(compress_all(update, options),
                                       static_cast<std::uint32_t>(values.size()), options);
  RC_ASSERT(decoded.status == Status::kOk);
  RC_ASSERT(decoded.content == testing::select(update.delta(), options));
}

RC_GTEST_PROP(Compress, SendsExactlyKOfTheLargest, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_options(values.size());
  const auto decoded =
      testing::decode(compress_all(update, options), static_cast<std::uint32_t>(values.size()));
  RC_ASSERT(decoded.content.entries.size() == options.keep_count);

  std::vector<bool> kept(values.size());
  int smallest_kept = 32768;
  for (const Entry& entry : decoded.content.entries) {
    kept[entry.index] = true;
    smallest_kept = std::min(smallest_kept, std::abs(int{values[entry.index]}));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int magnitude = std::abs(int{values[i]});
    if (!kept[i]) RC_ASSERT(magnitude <= smallest_kept || 8 * magnitude < 9 * smallest_kept);
  }
}

RC_GTEST_PROP(Compress, NeverRaisesAValueNorTheNorm, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_options(values.size());
  const std::vector<std::uint8_t> bytes = compress_all(update, options);
  const auto decoded = testing::decode(bytes, static_cast<std::uint32_t>(values.size()));
  const int unit = 1 << (decoded.content.exponent - update.delta().exponent);
  std::uint64_t sum = 0;
  for (const Entry& entry : decoded.content.entries) {
    const int original = values[entry.index];
    const int lost = std::abs(original) - std::abs(entry.value) * unit;
    RC_ASSERT(lost >= 0);
    const bool saturated = decoded.content.exponent == kMaxDeltaExponent &&
                           std::abs(entry.value) == max_value(options.value_bits);
    RC_ASSERT(lost < unit || saturated);
    RC_ASSERT(entry.value == 0 || (entry.value < 0) == (original < 0));
    sum += static_cast<std::uint64_t>(entry.value * std::int64_t{entry.value});
  }
  std::vector<std::int32_t> dense(values.size());
  const auto read = decode(bytes, static_cast<std::uint32_t>(values.size()), options, dense);
  RC_ASSERT(read->sum_of_squares == sum);
  RC_ASSERT(sum * std::uint64_t(unit) * std::uint64_t(unit) <= sum_of_squares(values));
}

RC_GTEST_PROP(Compress, StaysWithinItsBoundAndUsesNoMore, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  const Options options = *testing::any_sparse_options(values.size());
  const std::vector<std::uint8_t> bytes = compress_all(update, options);
  RC_ASSERT(bytes.size() <=
            max_compressed_bytes(static_cast<std::uint32_t>(values.size()), options));

  std::vector<std::uint8_t> exact(bytes.size());
  RC_ASSERT(compress(update, options, exact).ok());
  RC_ASSERT(exact == bytes);
  std::vector<std::uint8_t> short_by_one(bytes.size() - 1, 0xA5);
  RC_ASSERT(compress(update, options, short_by_one).status() == Status::kNoMemory);
  RC_ASSERT(short_by_one == std::vector<std::uint8_t>(bytes.size() - 1, 0xA5));
}

TEST(Compress, TakesTiesInTheOrderOfTheirIndices) {
  std::vector<std::int16_t> values{100, -103, 7, 96, 101, 200, 103};  // 96 … 103 share a bucket
  const Noised update = testing::noised(values, -12);
  const auto decoded = testing::decode(compress_all(update, {3, 16}), 7);
  EXPECT_EQ(decoded.content.entries, (std::vector<Entry>{{0, 100}, {1, -103}, {5, 200}}));
}

TEST(Compress, SendsKZerosOfADeltaOfZeros) {
  std::vector<std::int16_t> values(10, 0);
  const Noised update = testing::noised(values, -20);
  const auto decoded = testing::decode(compress_all(update, {3, 8}), 10);
  EXPECT_EQ(decoded.status, Status::kOk);
  EXPECT_EQ(decoded.content.entries, (std::vector<Entry>{{0, 0}, {1, 0}, {2, 0}}));
}

TEST(Compress, SaturatesWhereTheExponentEnds) {
  std::vector<std::int16_t> values{30000, -30000, 5};
  const Noised update = testing::noised(values, kMaxDeltaExponent);
  const auto decoded = testing::decode(compress_all(update, {3, 8}), 3);
  EXPECT_EQ(decoded.content.exponent, kMaxDeltaExponent);
  EXPECT_EQ(decoded.content.entries, (std::vector<Entry>{{0, 127}, {1, -127}, {2, 5}}));
}

TEST(Compress, SendsTheMostNegativeValueInSixteenBits) {
  std::vector<std::int16_t> values{INT16_MIN, 3, 32767};
  const Noised update = testing::noised(values, -15);
  const auto decoded = testing::decode(compress_all(update, {3, 16}), 3);
  EXPECT_EQ(decoded.content.exponent, -14);
  EXPECT_EQ(decoded.content.entries, (std::vector<Entry>{{0, -16384}, {1, 1}, {2, 16383}}));
}

TEST(Compress, IsFixedForEver) {
  // Worked out by hand; every later version must still write and read these bytes.
  // Kept: −400 at 1, 300 at 2, 900 at 6. Largest 900 → 8 bits after three halvings: exponent −9,
  // values −50, 37, 112. Gaps 1, 0, 3: parameter 0 takes 7 bits, 1 takes 7: the smaller.
  //   10|11001110 0|00100101 1110|01110000 → 10110011 10000100 10111100 11100000 0…
  std::vector<std::int16_t> values{5, -400, 300, 0, 20, -30, 900, 1};
  const Noised update = testing::noised(values, -12, 77);
  std::vector<std::uint8_t> out(64);
  const Result<Compressed> compressed = compress(update, {3, 8}, out);
  ASSERT_TRUE(compressed.ok());
  EXPECT_EQ(compressed->sample_count(), 77U);
  const Bytes bytes = compressed->bytes();
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin(), bytes.end()),
            (std::vector<std::uint8_t>{0x17, 0x09, 0x00, 0x03, 0xB3, 0x84, 0xBC, 0xE0}));
}

TEST(Compress, TernaryIsFixedForEver) {
  // The same three of the same delta: their mean magnitude is 1600 / 3 = 533, 133 after two
  // halvings. Signs −, +, +; gaps 1, 0, 3 with parameter 0:
  //   10|1 0|0 1110|0 → 10100111 00000000
  std::vector<std::int16_t> values{5, -400, 300, 0, 20, -30, 900, 1};
  const Noised update = testing::noised(values, -12);
  EXPECT_EQ(compress_all(update, {3, 0, CompressionMode::kTernary}),
            (std::vector<std::uint8_t>{0x20, 0x0A, 133, 0xA7, 0x00}));
}

TEST(Compress, TernaryOfAMeanBelowOneUnitHasNoSigns) {
  std::vector<std::int16_t> values{-1, 0, 0};
  const Noised update = testing::noised(values, -12);
  EXPECT_EQ(compress_all(update, {2, 0, CompressionMode::kTernary}),
            (std::vector<std::uint8_t>{0x20, 12, 0, 0x00}));
}

RC_GTEST_PROP(Compress, TernaryNeverRaisesTheNorm, ()) {
  auto values = *testing::any_values();
  const Noised update = testing::noised(values, *testing::any_exponent());
  Options options = *testing::any_options(values.size());
  options.mode = CompressionMode::kTernary;
  options.value_bits = 0;
  const Content content = testing::decode(compress_all(update, options),
                                          static_cast<std::uint32_t>(values.size()), options)
                              .content;
  const auto magnitude = std::uint64_t{content.scale}
                         << (content.exponent - update.delta().exponent);
  RC_ASSERT(magnitude * magnitude * options.keep_count <= sum_of_squares(values));
}

// Twenty times fewer than float32's 9,640; the accuracy is in docs/benchmarks.md.
TEST(Compress, TernaryMeetsTheSizeBarOfDigits) {
  const Options options{keep_count_for(2410, 50), 0, CompressionMode::kTernary};
  ASSERT_EQ(options.keep_count, 121U);
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    auto normal = testing::gaussian(2410, seed);
    EXPECT_LE(compress_all(testing::noised(normal, -15), options).size(), 110U);
    auto heavy = testing::laplace(2410, seed);
    EXPECT_LE(compress_all(testing::noised(heavy, -15), options).size(), 110U);
  }
}

TEST(Compress, MeetsTheSizeBarOfDigits) {
  const Options options{keep_count_for(2410, 100), 16};
  ASSERT_EQ(options.keep_count, 241U);
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    auto normal = testing::gaussian(2410, seed);
    EXPECT_LE(compress_all(testing::noised(normal, -15), options).size(), 640U);
    auto heavy = testing::laplace(2410, seed);
    EXPECT_LE(compress_all(testing::noised(heavy, -15), options).size(), 640U);
  }
}

TEST(Compress, TakesTheLargestModel) {
  auto values = testing::laplace(kMaxParameters, 1);
  const Noised update = testing::noised(values, -20);
  for (const Options options :
       {Options{1, 2}, Options{kMaxParameters / 10, 12}, Options{kMaxParameters, 16},
        Options{kMaxParameters / 20, 0, CompressionMode::kTernary}}) {
    const std::vector<std::uint8_t> bytes = compress_all(update, options);
    EXPECT_LE(bytes.size(), max_compressed_bytes(kMaxParameters, options));
    const auto decoded = testing::decode(bytes, kMaxParameters, options);
    EXPECT_EQ(decoded.status, Status::kOk);
    EXPECT_EQ(decoded.content, testing::select(update.delta(), options));
  }
}

TEST(Compress, RefusesBadOptionsAndChangesNothing) {
  std::vector<std::int16_t> values{1, 2, 3};
  const Noised update = testing::noised(values, -10);
  std::vector<std::uint8_t> out(64, 0xA5);
  for (const Options options :
       {Options{0, 8}, Options{4, 8}, Options{UINT32_MAX, 8}, Options{1, 0}, Options{1, 1},
        Options{1, 17}, Options{1, 255}, Options{0, 0, CompressionMode::kTernary},
        Options{1, 2, CompressionMode::kTernary}, Options{0, 0, CompressionMode::kInt8},
        Options{1, 0, CompressionMode::kInt8, 0, Norm{1}},
        Options{0, 8, CompressionMode::kEden, 0, Norm{1}},
        Options{0, 8, CompressionMode::kRandomK, 0, Norm{1}},
        Options{1, 17, CompressionMode::kRandomK, 0, Norm{1}},
        Options{1, 8, CompressionMode::kRandomK}}) {
    EXPECT_EQ(compress(update, options, out).status(), Status::kInvalidArgument);
    EXPECT_EQ(max_compressed_bytes(3, options), 0U);
  }
  EXPECT_EQ(compress(update, {1, 8}, {}).status(), Status::kNoMemory);
  EXPECT_EQ(out, std::vector<std::uint8_t>(64, 0xA5));
}

TEST(KeepCountFor, RoundsUpAndStaysInRange) {
  EXPECT_EQ(keep_count_for(2410, 100), 241U);
  EXPECT_EQ(keep_count_for(2410, 1), 3U);
  EXPECT_EQ(keep_count_for(2410, 1000), 2410U);
  EXPECT_EQ(keep_count_for(1, 1), 1U);
  EXPECT_EQ(keep_count_for(10, 5000), 10U);
  EXPECT_EQ(keep_count_for(kMaxParameters, 999), 261882U);
  EXPECT_EQ(keep_count_for(2410, 0), 0U) << "refused by compress()";
}

static_assert(max_compressed_bytes(2410, {241, 16}) == 5 + 482 + 155);
static_assert(max_compressed_bytes(0, {0, 16}) == 0);
static_assert(max_compressed_bytes(2410, {121, 0, CompressionMode::kTernary}) == 3 + 109);

}  // namespace
}  // namespace skep::compress
