// Top-K's and ternary's formats written a second time, for tests: with sorting, lists of bits and
// every Rice parameter really tried, straight from docs/reference/compressed-delta.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <span>
#include <vector>

#include "skep/bytes.h"
#include "skep/compress/compressor.h"
#include "skep/flow.h"
#include "sparse_decoder.h"

namespace skep::compress::testing {

struct Entry {
  std::uint32_t index;
  std::int32_t value;
  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Content {
  int exponent;
  std::uint32_t value_bits;
  std::vector<Entry> entries;
  CompressionMode mode = CompressionMode::kTopK;
  std::uint32_t scale = 1;
  friend bool operator==(const Content&, const Content&) = default;
};

using Bits = std::vector<bool>;

inline void append(Bits& bits, std::uint32_t value, std::uint32_t count) {
  while (count-- > 0) bits.push_back((value >> count & 1U) != 0);
}

inline Bits encode_entries(const Content& content, std::uint32_t rice_parameter) {
  Bits bits;
  std::uint32_t next_index = 0;
  for (const Entry& entry : content.entries) {
    const std::uint32_t gap = entry.index - next_index;
    next_index = entry.index + 1;
    bits.insert(bits.end(), gap >> rice_parameter, true);
    bits.push_back(false);
    append(bits, gap, rice_parameter);
    if (content.mode == CompressionMode::kTernary) {
      bits.push_back(entry.value < 0);
    } else {
      append(bits, static_cast<std::uint32_t>(entry.value), content.value_bits);
    }
  }
  return bits;
}

/// Bytes of the content with this Rice parameter, whether it is the best or not.
inline std::vector<std::uint8_t> encode_with(const Content& content, std::uint32_t rice_parameter) {
  std::vector<std::uint8_t> bytes;
  const auto put = [&bytes](auto byte) { bytes.push_back(static_cast<std::uint8_t>(byte)); };
  if (content.mode == CompressionMode::kTernary) {
    put(32 + rice_parameter);
    put(-content.exponent);
    put(content.scale);
  } else {
    put(16 + content.value_bits - 1);
    put(-content.exponent);
    put(rice_parameter);
    std::size_t count = content.entries.size();
    for (; count >= 128; count /= 128) put(128 + count % 128);
    put(count);
  }
  Bits bits = encode_entries(content, rice_parameter);
  while (bits.size() % 8 != 0) bits.push_back(false);
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    unsigned byte = 0;
    for (std::size_t bit = 0; bit < 8; ++bit) byte = 2 * byte + (bits[i + bit] ? 1 : 0);
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  return bytes;
}

inline std::uint32_t max_rice_parameter(const Content& content) {
  return content.mode == CompressionMode::kTernary ? 15 : 23;
}

inline std::uint32_t best_rice_parameter(const Content& content) {
  std::uint32_t best = 0;
  std::size_t best_bits = SIZE_MAX;
  for (std::uint32_t p = 0; p <= max_rice_parameter(content); ++p) {
    const std::size_t bits = encode_entries(content, p).size();
    if (bits < best_bits) {
      best = p;
      best_bits = bits;
    }
  }
  return best;
}

inline std::vector<std::uint8_t> encode(const Content& content) {
  return encode_with(content, best_rice_parameter(content));
}

inline int bucket(int magnitude) {
  int before = 0;
  for (; magnitude >= 16; magnitude /= 2) before += 8;
  return before + magnitude;
}

/// What compress() has to say about a delta.
inline Content select(const Delta& delta, const Options& options) {
  const auto magnitude = [&](std::uint32_t i) { return std::abs(int{delta.values[i]}); };
  std::vector<std::uint32_t> order(delta.values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return bucket(magnitude(a)) > bucket(magnitude(b));
  });
  order.resize(options.keep_count);
  std::sort(order.begin(), order.end());

  int largest = 0;
  std::int64_t sum = 0;
  for (const std::uint32_t i : order) {
    largest = std::max(largest, magnitude(i));
    sum += magnitude(i);
  }
  const bool is_ternary = options.mode == CompressionMode::kTernary;
  const int limit = is_ternary ? 255 : (1 << (options.value_bits - 1)) - 1;
  const int to_fit = is_ternary ? static_cast<int>(sum / options.keep_count) : largest;
  int divisor = 1;
  int exponent = delta.exponent;
  for (; to_fit / divisor > limit && exponent < 0; divisor *= 2) ++exponent;

  Content content{exponent, options.value_bits, {}, options.mode, 1};
  if (is_ternary) content.scale = static_cast<std::uint32_t>(std::min(to_fit / divisor, limit));
  for (const std::uint32_t i : order) {
    const int quotient = delta.values[i] / divisor;  // C++ divides toward zero
    const int sign = delta.values[i] < 0 ? -1 : 1;
    const int value =
        is_ternary ? (content.scale == 0 ? 0 : sign) : std::clamp(quotient, -limit, limit);
    content.entries.push_back({i, value});
  }
  return content;
}

/// The options that bytes of top-K claim to have been made with; of ternary, which does not say,
/// `keep_count`. In range in any case.
inline Options options_in(Bytes bytes, std::uint32_t dimension, std::uint32_t keep_count = 1) {
  if (!bytes.empty() && bytes[0] >> 4 == 2) {
    return {.keep_count = keep_count, .mode = CompressionMode::kTernary};
  }
  std::uint32_t count = 0;
  for (std::size_t i = 3; i < std::min<std::size_t>(bytes.size(), 7); ++i) {
    count |= (bytes[i] & 127U) << (7 * (i - 3));
    if (bytes[i] < 128) break;
  }
  const int bits = bytes.empty() ? 2 : bytes[0] % 16 + 1;
  return {.keep_count = std::clamp(count, 1U, dimension),
          .value_bits = static_cast<std::uint8_t>(std::max(bits, 2))};
}

/// Everything that SparseDecoder reads; the Status is kOk if it reached the end.
struct SparseDecoded {
  Status status;
  Content content;
};

inline SparseDecoded decode(Bytes bytes, std::uint32_t dimension, const Options& options) {
  const Result<SparseDecoder> opened = SparseDecoder::open(bytes, dimension, options);
  if (!opened.ok()) return {opened.status(), {}};
  SparseDecoder decoder = *opened;
  Content content{
      decoder.header().exponent, options.value_bits, {}, options.mode, decoder.header().scale};
  Entry entry{};
  for (;;) {
    const Result<bool> more = decoder.next(entry.index, entry.value);
    if (!more.ok()) return {more.status(), content};
    if (!*more) return {Status::kOk, content};
    content.entries.push_back(entry);
  }
}

/// With the options that the bytes themselves claim.
inline SparseDecoded decode(Bytes bytes, std::uint32_t dimension) {
  return decode(bytes, dimension, options_in(bytes, dimension));
}

}  // namespace skep::compress::testing
