// PMSAv8 (Cortex-M33): regions are whole 32-byte units and must not overlap. The core also checks
// the stack pointer itself (MSPLIM), so no guard region is needed.
#include <cstdint>

#include "linker_symbols.h"
#include "mpu.h"
#include "registers.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kReadOnly = 3U << 1U;  // AP[2:1]: read only, any privilege
constexpr std::uint32_t kReadWrite = 1U << 1U;
constexpr std::uint32_t kExecuteNever = 1U;
constexpr std::uint32_t kWriteBack = 0xFF;
constexpr std::uint32_t kUnitBytes = 32;

void set_region(std::uint32_t number, const std::uint32_t* begin, const std::uint32_t* end,
                std::uint32_t attributes) {
  const std::uint32_t last = reinterpret_cast<std::uint32_t>(end) - 1;
  reg(kMpuRegionNumber) = number;
  reg(kMpuRegionBase) = reinterpret_cast<std::uint32_t>(begin) | attributes;
  reg(kMpuRegionSize) = (last & ~(kUnitBytes - 1)) | 1U;  // memory type 0, enabled
}

}  // namespace

void protect_memory() {
  asm volatile("msr msplim, %0" ::"r"(__stack_limit));
  reg(kMpuAttributes) = kWriteBack;
  set_region(0, __code_start, __code_end, kReadOnly);
  set_region(1, __stack_limit, __bss_end, kReadWrite | kExecuteNever);
  reg(kSystemHandlerControl) = reg(kSystemHandlerControl) | 7U << 16U;  // their own fault handlers
  reg(kMpuControl) = 1U | 1U << 2U;  // on; the default map behind it
  memory_barrier();
}

}  // namespace skep::board
