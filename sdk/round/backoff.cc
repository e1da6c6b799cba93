#include "skep/round/backoff.h"

#include <algorithm>
#include <array>

namespace skep::round {

Backoff::Backoff(BackoffLimits limits, Entropy& entropy)
    : limits_(limits), entropy_(entropy), ceiling_ms_(limits.first_ms) {}

std::uint32_t Backoff::next_ms() {
  const std::uint32_t ceiling_ms = ceiling_ms_;
  ceiling_ms_ = ceiling_ms > limits_.longest_ms / 2U ? limits_.longest_ms : ceiling_ms * 2U;

  std::array<std::uint8_t, 4> random{};
  if (entropy_.fill(random) != Status::kOk) return ceiling_ms;
  const std::uint32_t draw =
      static_cast<std::uint32_t>(random[0]) | static_cast<std::uint32_t>(random[1]) << 8U |
      static_cast<std::uint32_t>(random[2]) << 16U | static_cast<std::uint32_t>(random[3]) << 24U;
  const std::uint32_t half_ms = ceiling_ms / 2U;
  return ceiling_ms - half_ms + draw % (half_ms + 1U);
}

}  // namespace skep::round
