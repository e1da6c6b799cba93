// Time: RTC1 on the 32,768 Hz crystal. SysTick stands still while the core sleeps, so RTC1 also
// wakes it, 100 times a second.
#include <cstdint>

#include "board_map.h"
#include "nrf52840.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kStartLowFrequencyClock = kClock + 0x008;
constexpr std::uint32_t kLowFrequencyClockStarted = kClock + 0x104;
constexpr std::uint32_t kLowFrequencySource = kClock + 0x518;
constexpr std::uint32_t kCrystal = 1;

constexpr std::uint32_t kStart = kRtc1 + 0x000;
constexpr std::uint32_t kCompareEvent = kRtc1 + 0x140;
constexpr std::uint32_t kInterruptEnable = kRtc1 + 0x304;
constexpr std::uint32_t kCounter = kRtc1 + 0x504;
constexpr std::uint32_t kCompare = kRtc1 + 0x540;
constexpr std::uint32_t kCompareInterrupt = 1U << 16U;

constexpr std::uint32_t kTicksPerSecond = 32'768;
constexpr std::uint32_t kTicksPerWakeUp = kTicksPerSecond / 100;
constexpr std::uint32_t kCounterMask = 0x00FFFFFF;

// It wraps every 512 s; each wake-up looks at it.
std::uint64_t ticks_so_far = 0;
std::uint32_t last_count = 0;

}  // namespace

void start_time() {
  reg(kLowFrequencySource) = kCrystal;
  reg(kStartLowFrequencyClock) = 1;
  while (reg(kLowFrequencyClockStarted) == 0) {
  }
  reg(kCompare) = kTicksPerWakeUp;
  reg(kInterruptEnable) = kCompareInterrupt;
  enable_interrupt(kRtc1Interrupt);
  reg(kStart) = 1;
}

std::uint64_t ticks() {
  const std::uint32_t interrupts = mask_interrupts();
  const std::uint32_t count = reg(kCounter);
  ticks_so_far += (count - last_count) & kCounterMask;
  last_count = count;
  const std::uint64_t result = ticks_so_far;
  restore_interrupts(interrupts);
  return result;
}

std::uint32_t ticks_per_second() { return kTicksPerSecond; }

// Never started.
extern "C" void systick_handler() {}

extern "C" void rtc1_handler() {
  reg(kCompareEvent) = 0;
  static_cast<void>(ticks());
  // From now, not from the last time: that may have passed while interrupts were masked.
  reg(kCompare) = (reg(kCounter) + kTicksPerWakeUp) & kCounterMask;
  memory_barrier();
}

}  // namespace skep::board
