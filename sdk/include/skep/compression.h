// What a round plan says about the compression of a delta, as data between wire and compress.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace skep {

/// Numbers are part of the wire contract (`Compression` in proto/skep.proto) and the formats'
/// numbers in docs/reference/compressed-delta.md.
enum class CompressionMode : std::uint8_t {
  kTopK = 1,     ///< The K largest elements, quantised.
  kTernary = 2,  ///< The signs of the K largest and one magnitude (sparse ternary compression).
  kInt8 = 3,     ///< All elements, stochastically rounded to 8 bits.
  kEden = 4,     ///< The signs of all after a randomised Hadamard transform.
  kRandomK = 5,  ///< K elements chosen by a public seed, quantised, scaled by d / K.
};

/// What people write in skepd.toml and on command lines, in the order of the modes' numbers.
inline constexpr std::array<const char*, 5> kCompressionNames = {"top-k", "ternary", "int8", "eden",
                                                                 "random-k"};

[[nodiscard]] constexpr const char* name_of(CompressionMode mode) {
  return kCompressionNames[static_cast<std::size_t>(mode) - 1];
}

/// Whether the mode sends K of the elements.
[[nodiscard]] constexpr bool has_keep_count(CompressionMode mode) {
  return mode != CompressionMode::kInt8 && mode != CompressionMode::kEden;
}

/// Whether the plan says how many bits a value has.
[[nodiscard]] constexpr bool has_value_bits(CompressionMode mode) {
  return mode == CompressionMode::kTopK || mode == CompressionMode::kRandomK;
}

/// Whether what is left out is added to the next delta: legal for the biased modes only. The
/// others are right in the mean, and a residual would add their noise a second time.
[[nodiscard]] constexpr bool has_error_feedback(CompressionMode mode) {
  return mode == CompressionMode::kTopK || mode == CompressionMode::kTernary;
}

/// Ranges as in RoundPlan; a field that the mode does not have is 0.
struct Compression {
  CompressionMode mode = CompressionMode::kTopK;
  std::uint16_t keep_permille = 0;
  std::uint8_t value_bits = 0;
};

}  // namespace skep
