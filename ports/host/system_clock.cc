#include "skep/port_host/system_clock.h"

#include <ctime>

namespace skep::port_host {

std::uint64_t SystemClock::now_ms() {
  timespec now{};
  // Cannot fail: the clock exists on every Linux, and the pointer is valid.
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000U +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
}

}  // namespace skep::port_host
