// Integer arithmetic shared by the engine's parts. All of it is defined for all inputs within the
// stated ranges, so that every compiler gives the same bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#if defined(__ARM_FEATURE_SAT)
#include <arm_acle.h>
#endif

namespace skep::learn {

/// Largest magnitude that scale() takes and gives.
inline constexpr std::int64_t kScaleLimit = std::int64_t{1} << 62;

/// |value| or, for negatives, one less: enough to find the highest bit, and never overflows.
constexpr std::uint64_t magnitude_bits(std::int64_t value) {
  return static_cast<std::uint64_t>(value ^ (value >> 63));
}

/// Number of bits that `value` takes, 0 for 0.
constexpr int significant_bits(std::uint64_t value) {
  return static_cast<int>(std::bit_width(value));
}

/// How far all of `n` values may be shifted to the left so that the largest takes 15 bits and a
/// sign; negative: to the right. 0 if all are 0. Most of what is computed from int16 is the more
/// precise the larger they are.
template <typename T>
constexpr int headroom(const T* values, std::uint32_t n) {
  std::uint64_t bits = 0;
  bool any = false;  // apart from `bits`, in which −1 leaves no trace
  for (std::uint32_t i = 0; i < n; ++i) {
    bits |= magnitude_bits(values[i]);
    any |= values[i] != 0;
  }
  return any ? 15 - significant_bits(bits) : 0;
}

/// value * 2^shift, to nearest with ties up, saturating at ±kScaleLimit. |value| ≤ kScaleLimit.
constexpr std::int64_t scale(std::int64_t value, int shift) {
  if (shift < 0) {
    if (shift <= -63) return 0;
    return (value + (std::int64_t{1} << (-shift - 1))) >> -shift;
  }
  if (value == 0) return 0;
  const int room = 62 - significant_bits(magnitude_bits(value));
  if (shift > room) return value < 0 ? -kScaleLimit : kScaleLimit;
  return value * (std::int64_t{1} << shift);
}

/// scale(value, -shift) for 1 ≤ shift ≤ 31 where that is below 2^31 in magnitude.
inline std::int32_t round_shift(std::int64_t value, int shift) {
#if defined(__thumb2__)
  // The bit that is shifted out last rounds up. gcc 12 needs twice as many instructions.
  std::uint32_t result = 0;
  std::uint32_t high = 0;
  __asm("lsl %1, %R2, %4\n\tlsrs %0, %Q2, %3\n\tadc %0, %0, %1"
        : "=&r"(result), "=&r"(high)
        : "r"(value), "r"(shift), "r"(32 - shift)
        : "cc");
  return static_cast<std::int32_t>(result);
#else
  const auto low = static_cast<std::uint32_t>(value);
  const auto high = static_cast<std::uint32_t>(value >> 32);
  const std::uint32_t floor = low >> shift | high << (32 - shift);
  return static_cast<std::int32_t>(floor + (low >> (shift - 1) & 1U));
#endif
}

/// value * 2^shift, to nearest with ties up, saturating at ±limit. |value| < 2^30, limit ≥ 2^30.
/// The same as clamp(scale(value, shift), -limit, limit), in 32 bits: the cores that this runs on
/// take several times as long for 64.
constexpr std::int32_t scale_within(std::int32_t value, int shift, std::int32_t limit) {
  if (shift < 0) {
    if (shift < -31) return 0;
    return (value + (std::int32_t{1} << (-shift - 1))) >> -shift;
  }
  const std::int32_t largest = limit >> std::min(shift, 31);
  if (value > largest) return limit;
  if (value < -largest) return -limit;
  return value == 0 ? 0 : value * (std::int32_t{1} << shift);
}

/// The least n with 2^n ≥ value. value ≥ 1.
constexpr int ceil_log2(std::uint32_t value) { return static_cast<int>(std::bit_width(value - 1)); }

/// 1 / n as factor * 2^-shift with `bits` significant bits, to nearest. n ≥ 1, bits ≤ 32.
struct Reciprocal {
  constexpr Reciprocal(std::uint32_t n, int bits)
      : shift(bits - 1 + ceil_log2(n)),
        factor(static_cast<std::int64_t>(((std::uint64_t{1} << shift) + n / 2) / n)) {}
  int shift;
  std::int64_t factor;  // 2^(bits − 1) … 2^bits
};

/// floor(value * factor / 2^15) for 0 ≤ factor ≤ 2^15, without overflow for any value.
constexpr std::int64_t scale_q15(std::int64_t value, std::int32_t factor) {
  return (value >> 15) * factor + (((value & 0x7FFF) * factor) >> 15);
}

/// The nearest value that a T has.
template <typename T, typename Wide>
constexpr T saturate(Wide value) {
  static_assert(sizeof(Wide) > sizeof(T));
  return static_cast<T>(
      std::clamp<Wide>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

/// The nearest int16: two comparisons, or the one instruction that Cortex-M3 and later have for it
/// and that gcc 12 finds only when told.
inline std::int32_t saturate16(std::int32_t value) {
#if defined(__ARM_FEATURE_SAT)
  return __ssat(value, 16);
#else
  return std::clamp<std::int32_t>(value, INT16_MIN, INT16_MAX);
#endif
}

/// value / 2 to nearest, ties to even: halving a layer again and again must not drift.
constexpr std::int32_t halve(std::int32_t value) {
  const std::int64_t wide = value;
  return static_cast<std::int32_t>((wide + ((wide >> 1) & 1)) >> 1);
}

}  // namespace skep::learn
