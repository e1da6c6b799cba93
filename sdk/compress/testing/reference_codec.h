// The compressed delta's format written a second time, for tests: with sorting, lists of bits and
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
#include "skep/compress/decoder.h"
#include "skep/flow.h"

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
    append(bits, static_cast<std::uint32_t>(entry.value), content.value_bits);
  }
  return bits;
}

/// Bytes of the content with this Rice parameter, whether it is the best or not.
inline std::vector<std::uint8_t> encode_with(const Content& content, std::uint32_t rice_parameter) {
  std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(16 + content.value_bits - 1),
                                  static_cast<std::uint8_t>(-content.exponent),
                                  static_cast<std::uint8_t>(rice_parameter)};
  std::size_t count = content.entries.size();
  for (; count >= 128; count /= 128) {
    bytes.push_back(static_cast<std::uint8_t>(128 + count % 128));
  }
  bytes.push_back(static_cast<std::uint8_t>(count));
  Bits bits = encode_entries(content, rice_parameter);
  while (bits.size() % 8 != 0) bits.push_back(false);
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    unsigned byte = 0;
    for (std::size_t bit = 0; bit < 8; ++bit) byte = 2 * byte + (bits[i + bit] ? 1 : 0);
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  return bytes;
}

inline std::uint32_t best_rice_parameter(const Content& content) {
  std::uint32_t best = 0;
  std::size_t best_bits = SIZE_MAX;
  for (std::uint32_t p = 0; p <= kMaxRiceParameter; ++p) {
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
  for (const std::uint32_t i : order) largest = std::max(largest, magnitude(i));
  const int limit = (1 << (options.value_bits - 1)) - 1;
  int divisor = 1;
  int exponent = delta.exponent;
  for (; largest / divisor > limit && exponent < 0; divisor *= 2) ++exponent;

  Content content{exponent, options.value_bits, {}};
  for (const std::uint32_t i : order) {
    const int quotient = delta.values[i] / divisor;  // C++ divides toward zero
    content.entries.push_back({i, std::clamp(quotient, -limit, limit)});
  }
  return content;
}

/// Everything that Decoder reads; the Status is kOk if it reached the end.
struct Decoded {
  Status status;
  Content content;
};

inline Decoded decode(Bytes bytes, std::uint32_t dimension) {
  const Result<Decoder> opened = Decoder::open(bytes, dimension);
  if (!opened.ok()) return {opened.status(), {}};
  Decoder decoder = *opened;
  Content content{decoder.header().exponent, decoder.header().value_bits, {}};
  Entry entry{};
  for (;;) {
    const Result<bool> more = decoder.next(entry.index, entry.value);
    if (!more.ok()) return {more.status(), content};
    if (!*more) return {Status::kOk, content};
    content.entries.push_back(entry);
  }
}

}  // namespace skep::compress::testing
