// What a sensor delivers.
#pragma once

#include <cstdint>

namespace skep::observe {

/// Raw readings are 24-bit integers, the widest that converters deliver, in whatever unit.
inline constexpr std::int32_t kMinReading = -(1 << 23);
inline constexpr std::int32_t kMaxReading = (1 << 23) - 1;

[[nodiscard]] constexpr bool is_reading(std::int32_t value) {
  return value >= kMinReading && value <= kMaxReading;
}

}  // namespace skep::observe
