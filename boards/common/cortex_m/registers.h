// The system control space that all Cortex-M have (Armv7-M ARM B3, Armv8-M ARM D1).
#pragma once

#include <cstdint>

namespace skep::board {

/// A memory-mapped register.
[[nodiscard]] inline volatile std::uint32_t& reg(std::uint32_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}

inline constexpr std::uint32_t kSysTickControl = 0xE000E010;
inline constexpr std::uint32_t kSysTickReload = 0xE000E014;
inline constexpr std::uint32_t kSysTickValue = 0xE000E018;
inline constexpr std::uint32_t kInterruptSetEnable = 0xE000E100;
inline constexpr std::uint32_t kVectorTable = 0xE000ED08;
inline constexpr std::uint32_t kResetControl = 0xE000ED0C;
inline constexpr std::uint32_t kSystemHandlerControl = 0xE000ED24;
inline constexpr std::uint32_t kFaultStatus = 0xE000ED28;
inline constexpr std::uint32_t kHardFaultStatus = 0xE000ED2C;
inline constexpr std::uint32_t kMemoryFaultAddress = 0xE000ED34;
inline constexpr std::uint32_t kBusFaultAddress = 0xE000ED38;
inline constexpr std::uint32_t kMpuControl = 0xE000ED94;
inline constexpr std::uint32_t kMpuRegionNumber = 0xE000ED98;
inline constexpr std::uint32_t kMpuRegionBase = 0xE000ED9C;
inline constexpr std::uint32_t kMpuRegionSize = 0xE000EDA0;  // v7: RASR; v8: RLAR
inline constexpr std::uint32_t kMpuAttributes = 0xE000EDC0;  // v8: MAIR0

/// Of the interrupt controller, 0 … kInterruptVectors − 1 (vectors.h).
inline void enable_interrupt(std::uint32_t number) {
  reg(kInterruptSetEnable + number / 32 * 4) = 1U << number % 32;
}

inline void memory_barrier() { asm volatile("dsb\n\tisb" ::: "memory"); }

}  // namespace skep::board
