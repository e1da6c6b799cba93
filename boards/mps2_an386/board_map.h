// Where the AN386 image has its devices (Arm application note 386, chapter on the memory map).
#pragma once

#include <array>
#include <cstdint>

#include "vectors.h"

namespace skep::board {

inline constexpr char kBoardName[] = "mps2_an386";
inline constexpr std::uint32_t kCoreHertz = 25'000'000;
inline constexpr std::uint32_t kUart = 0x40004000;
inline constexpr std::uint32_t kTimer = 0x40000000;
inline constexpr std::uint32_t kEthernet = 0x40200000;
inline constexpr std::uint32_t kFlashProgramBytes = 8;  // of the flash that is played

// All devices are polled; SysTick wakes the core.
inline constexpr std::array<Interrupt, 0> kInterrupts{};

}  // namespace skep::board
