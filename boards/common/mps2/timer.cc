// Time: the CMSDK timer counts down freely; SysTick wakes the core and sees each of its wraps.
#include <cstdint>

#include "board_map.h"
#include "mps2.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kControl = kTimer + 0x00;
constexpr std::uint32_t kValue = kTimer + 0x04;
constexpr std::uint32_t kReload = kTimer + 0x08;
constexpr std::uint32_t kEnable = 1U << 0U;
constexpr std::uint32_t kWakeUpsPerSecond = 100;
constexpr std::uint32_t kSysTickEnable = 7;  // on, interrupt, core clock

// It wraps every 171 s (at 25 MHz): whoever calls ticks() in between sees all of it.
std::uint64_t ticks_so_far = 0;
std::uint32_t last_count = 0;

}  // namespace

void start_timer() {
  reg(kReload) = UINT32_MAX;
  reg(kValue) = UINT32_MAX;
  reg(kControl) = kEnable;
  reg(kSysTickReload) = kCoreHertz / kWakeUpsPerSecond - 1;
  reg(kSysTickValue) = 0;
  reg(kSysTickControl) = kSysTickEnable;
}

std::uint64_t ticks() {
  const std::uint32_t interrupts = mask_interrupts();
  const std::uint32_t count = UINT32_MAX - reg(kValue);
  ticks_so_far += count - last_count;
  last_count = count;
  const std::uint64_t result = ticks_so_far;
  restore_interrupts(interrupts);
  return result;
}

std::uint32_t ticks_per_second() { return kCoreHertz; }

extern "C" void systick_handler() { static_cast<void>(ticks()); }

}  // namespace skep::board
