// The formats of int8, EDEN and random-K written a second time, for tests: what was decoded, back
// to bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "hadamard.h"
#include "mask.h"
#include "reference_sparse_testing.h"
#include "testing/modes.h"

namespace skep::compress::testing {

/// The signs of D H v / n, where v are all decoded values, those of the padding included.
inline Bits signs_behind(const std::vector<std::int32_t>& padded_values, std::uint32_t seed) {
  std::vector<std::int64_t> v(padded_values.begin(), padded_values.end());
  for (std::uint32_t i = 0; i < v.size(); ++i) {
    if ((random_signs(seed, i / 32) >> (i % 32) & 1U) != 0) v[i] = -v[i];
  }
  Bits signs;
  for (std::size_t i = 0; i < v.size(); ++i) {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < v.size(); ++j) sum += std::popcount(i & j) % 2 == 0 ? v[j] : -v[j];
    signs.push_back(sum < 0);
  }
  return signs;
}

/// `values`: all that decode() wrote, decoded_elements() of them.
inline std::vector<std::uint8_t> encode_scaled(const Options& options, const Decoded& header,
                                               const std::vector<std::int32_t>& values) {
  Bits bits;
  if (options.mode == CompressionMode::kEden) {
    bits = signs_behind(values, options.seed);
  } else if (options.mode == CompressionMode::kInt8) {
    for (const std::int32_t value : values) append(bits, static_cast<std::uint32_t>(value), 8);
  } else {
    Mask mask(static_cast<std::uint32_t>(values.size()), options.keep_count, options.seed);
    for (std::uint32_t i = 0; i < options.keep_count; ++i) {
      append(bits, static_cast<std::uint32_t>(values[mask.next()]), options.value_bits);
    }
  }
  while (bits.size() % 8 != 0) bits.push_back(false);
  std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(static_cast<int>(options.mode) * 16),
                                  static_cast<std::uint8_t>(-header.exponent),
                                  static_cast<std::uint8_t>(header.scale % 256),
                                  static_cast<std::uint8_t>(header.scale / 256)};
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    unsigned byte = 0;
    for (std::size_t bit = 0; bit < 8; ++bit) byte = 2 * byte + (bits[i + bit] ? 1 : 0);
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  // Nothing times a scale of 0 has other signs than zeros.
  if (header.scale == 0) std::fill(bytes.begin() + 4, bytes.end(), std::uint8_t{0});
  return bytes;
}

}  // namespace skep::compress::testing
