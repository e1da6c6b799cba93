#include "normalize.h"

#include <algorithm>
#include <type_traits>

#include "fixed_point.h"

namespace skep::learn {
namespace {

template <typename Wide>
std::make_unsigned_t<Wide> bits_of(const Wide* values, std::uint32_t n) {
  std::make_unsigned_t<Wide> bits = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    const Wide sign = values[i] >> (8 * sizeof(Wide) - 1);
    bits |= static_cast<std::make_unsigned_t<Wide>>(values[i] ^ sign);
  }
  return bits;
}

template <typename Wide>
int normalize_any(const Wide* values, std::uint32_t n, std::make_unsigned_t<Wide> bits,
                  int exponent, int min_exponent, std::int16_t* out) {
  // −1 leaves no trace in `bits`.
  const bool any = bits != 0 || std::any_of(values, values + n, [](Wide v) { return v != 0; });
  const int shift = std::max(any ? significant_bits(bits) - 15 : 0, min_exponent - exponent);
  if (shift > static_cast<int>(8 * sizeof(Wide)) - 2) {
    std::fill_n(out, n, std::int16_t{0});
  } else if (shift > 0) {
    // Rounding up can carry the largest into a sixteenth bit: 32768 becomes 32767. Two shifts,
    // because half a unit might not fit on top of the value.
    const auto round = [=](Wide value) {
      const auto doubled = static_cast<std::int32_t>(value >> (shift - 1));
      return static_cast<std::int16_t>(saturate16((doubled + 1) >> 1));
    };
    std::uint32_t i = 0;
    for (; n - i >= 4; i += 4) {
      out[i] = round(values[i]);
      out[i + 1] = round(values[i + 1]);
      out[i + 2] = round(values[i + 2]);
      out[i + 3] = round(values[i + 3]);
    }
    for (; i < n; ++i) out[i] = round(values[i]);
  } else {
    // −2^15 ≤ values < 2^15 here, and so are the products.
    const std::int32_t factor = std::int32_t{1} << -shift;
    for (std::uint32_t i = 0; i < n; ++i) {
      out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(values[i]) * factor);
    }
  }
  return exponent + shift;
}

}  // namespace

std::uint32_t magnitude_bits(const std::int32_t* values, std::uint32_t n) {
  return bits_of(values, n);
}

std::uint64_t magnitude_bits(const std::int64_t* values, std::uint32_t n) {
  return bits_of(values, n);
}

int normalize(const std::int32_t* values, std::uint32_t n, std::uint32_t bits, int exponent,
              int min_exponent, std::int16_t* out) {
  return normalize_any(values, n, bits, exponent, min_exponent, out);
}

int normalize(const std::int64_t* values, std::uint32_t n, std::uint64_t bits, int exponent,
              int min_exponent, std::int16_t* out) {
  return normalize_any(values, n, bits, exponent, min_exponent, out);
}

}  // namespace skep::learn
