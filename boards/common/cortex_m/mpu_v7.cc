// PMSAv7 (Cortex-M3, M4, M7): regions are powers of two, a higher number wins.
#include <bit>
#include <cstdint>

#include "linker_symbols.h"
#include "mpu.h"
#include "registers.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kReadOnly = 6U << 24U;
constexpr std::uint32_t kNoAccess = 0;
constexpr std::uint32_t kReadWrite = 3U << 24U;
constexpr std::uint32_t kExecuteNever = 1U << 28U;
constexpr std::uint32_t kNormalMemory = (1U << 19U) | (1U << 17U);  // write-back, not shared
constexpr std::uint32_t kGuardBytes = 1024;

void set_region(std::uint32_t number, std::uint32_t base, std::uint32_t size_bytes,
                std::uint32_t attributes) {
  reg(kMpuRegionNumber) = number;
  reg(kMpuRegionBase) = base;
  const auto size_field = static_cast<std::uint32_t>(std::countr_zero(size_bytes)) - 1;
  reg(kMpuRegionSize) = attributes | size_field << 1U | 1U;
}

std::uint32_t address_of(const std::uint32_t* symbol) {
  return reinterpret_cast<std::uint32_t>(symbol);
}

}  // namespace

void protect_memory() {
  const std::uint32_t code = address_of(__code_start);
  const std::uint32_t code_bytes = std::bit_ceil(address_of(__code_end) - code);
  const std::uint32_t ram = address_of(__stack_limit);
  const std::uint32_t ram_bytes = std::bit_ceil(address_of(__bss_end) - ram);
  set_region(0, code, code_bytes, kReadOnly | kNormalMemory);
  set_region(1, ram, ram_bytes, kReadWrite | kExecuteNever | kNormalMemory);
  set_region(2, ram - kGuardBytes, kGuardBytes, kNoAccess | kExecuteNever);
  reg(kSystemHandlerControl) = reg(kSystemHandlerControl) | 7U << 16U;  // their own fault handlers
  reg(kMpuControl) = 1U | 1U << 2U;  // on; the default map behind it
  memory_barrier();
}

}  // namespace skep::board
