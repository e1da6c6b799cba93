// Zephyr's monotonic clock.
#pragma once

#include <cstdint>

#include "skep/platform.h"

namespace skep::port_zephyr {

/// Milliseconds since the kernel started. Stateless; any thread.
class UptimeClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ms() override;
};

}  // namespace skep::port_zephyr
