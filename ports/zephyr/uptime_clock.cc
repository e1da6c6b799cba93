#include "skep/port_zephyr/uptime_clock.h"

#include <zephyr/kernel.h>

namespace skep::port_zephyr {

std::uint64_t UptimeClock::now_ms() { return static_cast<std::uint64_t>(k_uptime_get()); }

}  // namespace skep::port_zephyr
