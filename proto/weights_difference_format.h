// The numbers of ModelPatch.difference that encoder and decoder share.
#pragma once

#include <bit>
#include <cstdint>

namespace skep::wire {

inline constexpr std::uint32_t kDifferenceFormat = 1;
inline constexpr std::uint32_t kFormatBits = 8;
inline constexpr std::uint32_t kExponentBits = 6;  // two's complement
inline constexpr std::uint32_t kCountBits = 20;
inline constexpr std::uint32_t kShiftBits = 5;
inline constexpr std::uint32_t kBlockValues = 64;

/// A block begins with 0 if all of its residuals are, otherwise with 1 + its Rice parameter, which
/// is below `residual_bits`.
constexpr std::uint32_t block_head_bits(std::uint32_t residual_bits) {
  return static_cast<std::uint32_t>(std::bit_width(residual_bits));
}

/// With the largest parameter the quotient is one bit: it is not written in unary, and the value
/// takes `residual_bits` as it is.
constexpr bool is_raw(std::uint32_t parameter, std::uint32_t residual_bits) {
  return parameter + 1 == residual_bits;
}

/// 0, −1, 1, −2, … → 0, 1, 2, 3, …
constexpr std::uint32_t zigzag(std::int32_t value) {
  return static_cast<std::uint32_t>(value) << 1U ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::int32_t unzigzag(std::uint32_t code) {
  return static_cast<std::int32_t>(code >> 1U ^ (0U - (code & 1U)));
}

}  // namespace skep::wire
