// The host's monotonic clock.
#pragma once

#include <cstdint>

#include "skep/platform.h"

namespace skep::port_host {

/// Milliseconds of CLOCK_MONOTONIC. Stateless; any thread.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ms() override;
};

}  // namespace skep::port_host
