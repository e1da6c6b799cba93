// What every Cortex-M does alike: reset, sleep, masking of interrupts.
#include <cstdint>

#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {

void reset() {
  memory_barrier();
  reg(kResetControl) = 0x05FA0000U | 1U << 2U;  // SYSRESETREQ
  memory_barrier();
  for (;;) {
  }
}

void wait_for_interrupt() { asm volatile("dsb\n\twfi" ::: "memory"); }

std::uint32_t mask_interrupts() {
  std::uint32_t previous = 0;
  asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(previous)::"memory");
  return previous;
}

void restore_interrupts(std::uint32_t previous) {
  asm volatile("msr primask, %0" ::"r"(previous) : "memory");
}

}  // namespace skep::board
