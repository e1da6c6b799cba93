#include "sparse_decoder.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <vector>

#include "reference_sparse_testing.h"
#include "testing/deltas.h"

namespace skep::compress {
namespace {

using testing::Content;
using testing::SparseDecoded;

/// An independent opinion on any bytes: refused, or the one encoding of what they say.
/// The input lies in memory of exactly its size, so that a sanitizer sees one byte more.
bool is_refused_or_canonical(const std::vector<std::uint8_t>& bytes, std::uint32_t dimension,
                             std::uint32_t ternary_count = 1) {
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  const Options options = testing::options_in(exact, dimension, ternary_count);
  const SparseDecoded decoded = testing::decode(exact, dimension, options);
  if (decoded.status != Status::kOk) {
    return decoded.status == Status::kMalformed || decoded.status == Status::kUnsupportedVersion;
  }
  const bool is_ternary = options.mode == CompressionMode::kTernary;
  const std::int32_t limit = is_ternary ? 1 : max_value(options.value_bits);
  std::uint64_t next_index = 0;
  for (const testing::Entry& entry : decoded.content.entries) {
    if (entry.index < next_index || entry.index >= dimension) return false;
    if (std::abs(entry.value) > limit) return false;
    next_index = entry.index + 1U;
  }
  return options.keep_count == decoded.content.entries.size() &&
         testing::encode(decoded.content) == exact;
}

/// A valid encoding, from a delta.
struct Sample {
  std::uint32_t dimension;
  Options options;
  Content content;
  std::vector<std::uint8_t> bytes;
};

Sample any_sample() {
  auto values = *testing::any_values();
  const Delta delta{values, *testing::any_exponent(), 1};
  const Options options = *testing::any_sparse_options(values.size());
  const Content content = testing::select(delta, options);
  return {static_cast<std::uint32_t>(values.size()), options, content, testing::encode(content)};
}

RC_GTEST_PROP(SparseDecoder, ReadsWhatTheReferenceWrites, ()) {
  const Sample sample = any_sample();
  const SparseDecoded decoded = testing::decode(sample.bytes, sample.dimension, sample.options);
  RC_ASSERT(decoded.status == Status::kOk);
  RC_ASSERT(decoded.content == sample.content);
}

RC_GTEST_PROP(SparseDecoder, RefusesEveryTruncationAndExtension, ()) {
  const Sample sample = any_sample();
  std::vector<std::uint8_t> longer = sample.bytes;
  longer.push_back(*rc::gen::arbitrary<std::uint8_t>());
  RC_ASSERT(testing::decode(longer, sample.dimension, sample.options).status == Status::kMalformed);
  for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
    const std::vector<std::uint8_t> shorter(sample.bytes.begin(),
                                            sample.bytes.begin() + std::ptrdiff_t(size));
    RC_ASSERT(testing::decode(shorter, sample.dimension, sample.options).status ==
              Status::kMalformed);
  }
}

RC_GTEST_PROP(SparseDecoder, RefusesAlteredBytesOrReadsTheirOneMeaning, ()) {
  const Sample sample = any_sample();
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::vector<std::uint8_t> bytes = sample.bytes;
    for (int change = *testing::in_range(1, 4); change > 0; --change) {
      const auto position = *testing::in_range<std::size_t>(0, bytes.size());
      bytes[position] ^= static_cast<std::uint8_t>(1 << *testing::in_range(0, 8));
    }
    RC_ASSERT(is_refused_or_canonical(bytes, sample.dimension, sample.options.keep_count));
  }
}

RC_GTEST_PROP(SparseDecoder, TakesAnyBytes, (std::vector<std::uint8_t> bytes)) {
  const auto dimension = *testing::in_range<std::uint32_t>(1, kMaxParameters + 1);
  RC_ASSERT(is_refused_or_canonical(bytes, dimension));
  // With a header that gets further.
  if (bytes.size() >= 4) {
    bytes[0] = static_cast<std::uint8_t>(0x11 + bytes[0] % 15);
    bytes[1] %= 33;
    bytes[2] %= 8;
    bytes[3] %= 16;
    RC_ASSERT(is_refused_or_canonical(bytes, dimension));
    bytes[0] = static_cast<std::uint8_t>(0x20 + bytes[0] % 16);
  }
  RC_ASSERT(is_refused_or_canonical(bytes, dimension,
                                    static_cast<std::uint32_t>(bytes.size()) / 2 % dimension + 1));
}

TEST(SparseDecoder, AcceptsExactlyTheContentsThatExist) {
  // All encodings of one entry of 2 bits in 3 elements, by trying every byte string: 3 indices
  // times the values −1, 0, 1.
  int accepted = 0;
  for (unsigned tail = 0; tail < 1U << 18; ++tail) {
    const auto parameter = static_cast<std::uint8_t>(tail >> 16);
    const auto first = static_cast<std::uint8_t>(tail);
    const auto second = static_cast<std::uint8_t>(tail >> 8);
    const std::vector<std::uint8_t> two{0x11, 5, parameter, 1, first, second};
    ASSERT_TRUE(is_refused_or_canonical(two, 3));
    accepted += testing::decode(two, 3).status == Status::kOk ? 1 : 0;
    if (second != 0) continue;
    const std::vector<std::uint8_t> one{0x11, 5, parameter, 1, first};
    ASSERT_TRUE(is_refused_or_canonical(one, 3));
    accepted += testing::decode(one, 3).status == Status::kOk ? 1 : 0;
  }
  EXPECT_EQ(accepted, 9);
}

RC_GTEST_PROP(SparseDecoder, RefusesEveryRiceParameterButTheBest, ()) {
  const Sample sample = any_sample();
  const std::uint32_t best = testing::best_rice_parameter(sample.content);
  for (std::uint32_t p = 0; p <= testing::max_rice_parameter(sample.content); ++p) {
    const auto decoded =
        testing::decode(testing::encode_with(sample.content, p), sample.dimension, sample.options);
    RC_ASSERT(decoded.status == (p == best ? Status::kOk : Status::kMalformed));
  }
}

TEST(SparseDecoder, RefusesHeadersOutOfRange) {
  const std::vector<std::uint8_t> good{0x17, 0x09, 0x00, 0x03, 0xB3, 0x84, 0xBC, 0xE0};
  ASSERT_EQ(testing::decode(good, 8).status, Status::kOk);
  const auto with = [&](std::size_t position, std::uint8_t byte) {
    std::vector<std::uint8_t> bytes = good;
    bytes[position] = byte;
    return testing::decode(bytes, 8).status;
  };
  EXPECT_EQ(with(0, 0x07), Status::kUnsupportedVersion);
  EXPECT_EQ(with(0, 0x67), Status::kUnsupportedVersion);
  EXPECT_EQ(with(0, 0xF7), Status::kUnsupportedVersion);
  EXPECT_EQ(with(0, 0x10), Status::kMalformed) << "values of one bit";
  EXPECT_EQ(with(1, 33), Status::kMalformed) << "exponent −33";
  EXPECT_EQ(with(1, 32), Status::kOk);
  EXPECT_EQ(with(2, 24), Status::kMalformed) << "Rice parameter 24";
  EXPECT_EQ(with(3, 0), Status::kMalformed) << "no entry";
  EXPECT_EQ(with(3, 9), Status::kMalformed) << "more entries than elements";
  EXPECT_EQ(with(3, 0x83), Status::kMalformed);
}

TEST(SparseDecoder, RefusesACountWithMoreBytesThanItNeeds) {
  EXPECT_EQ(testing::decode(std::vector<std::uint8_t>{0x11, 0, 0, 1, 0x20}, 4).status, Status::kOk);
  EXPECT_EQ(testing::decode(std::vector<std::uint8_t>{0x11, 0, 0, 0x81, 0x00, 0x20}, 4).status,
            Status::kMalformed);
  std::vector<std::uint8_t> endless(40, 0x91);
  endless[0] = 0x11;
  EXPECT_EQ(testing::decode(endless, 4).status, Status::kMalformed);
}

TEST(SparseDecoder, RefusesAnIndexPastTheDimension) {
  // One entry, gap 3.
  const std::vector<std::uint8_t> bytes = testing::encode({-3, 16, {{3, 1234}}});
  EXPECT_EQ(testing::decode(bytes, 4).status, Status::kOk);
  EXPECT_EQ(testing::decode(bytes, 3).status, Status::kMalformed);
  EXPECT_EQ(testing::decode(bytes, 1).status, Status::kMalformed);
}

TEST(SparseDecoder, RefusesTheCodeOfTheMostNegativeValue) {
  EXPECT_EQ(testing::decode(testing::encode({0, 8, {{0, -127}}}), 1).status, Status::kOk);
  EXPECT_EQ(testing::decode(testing::encode({0, 8, {{0, -128}}}), 1).status, Status::kMalformed);
}

TEST(SparseDecoder, RefusesOtherOptionsThanItIsAskedFor) {
  const std::vector<std::uint8_t> top_k = testing::encode({-3, 8, {{0, 1}, {2, -5}}});
  EXPECT_EQ(testing::decode(top_k, 4, {2, 8}).status, Status::kOk);
  EXPECT_EQ(testing::decode(top_k, 4, {2, 9}).status, Status::kMalformed);
  EXPECT_EQ(testing::decode(top_k, 4, {1, 8}).status, Status::kMalformed);
  EXPECT_EQ(testing::decode(top_k, 4, {2, 0, CompressionMode::kTernary}).status,
            Status::kMalformed);
}

TEST(SparseDecoder, RefusesSignsOfNothing) {
  const Options options{1, 0, CompressionMode::kTernary};
  EXPECT_EQ(testing::decode(std::vector<std::uint8_t>{0x20, 5, 0, 0x00}, 2, options).status,
            Status::kOk);
  EXPECT_EQ(testing::decode(std::vector<std::uint8_t>{0x20, 5, 0, 0x40}, 2, options).status,
            Status::kMalformed);
  EXPECT_EQ(testing::decode(std::vector<std::uint8_t>{0x20, 5, 1, 0x40}, 2, options).status,
            Status::kOk);
}

TEST(SparseDecoder, KeepsSayingWhatItSaidLast) {
  std::uint32_t index = 77;
  std::int32_t value = 77;
  const std::vector<std::uint8_t> good = testing::encode({0, 8, {{0, 1}}});
  SparseDecoder decoder = *SparseDecoder::open(good, 1, {1, 8});
  ASSERT_TRUE(*decoder.next(index, value));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(*decoder.next(index, value));
  EXPECT_EQ(index, 0U);
  EXPECT_EQ(value, 1);

  const std::vector<std::uint8_t> bad = testing::encode({0, 8, {{0, -128}, {1, 5}}});
  SparseDecoder failing = *SparseDecoder::open(bad, 2, {2, 8});
  index = 77;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(failing.next(index, value).status(), Status::kMalformed);
  }
  EXPECT_EQ(index, 77U) << "unchanged on error";
}

}  // namespace
}  // namespace skep::compress
