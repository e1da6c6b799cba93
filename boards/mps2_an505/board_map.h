// Where the AN505 image has its devices (Arm application note 505, chapter on the memory map).
#pragma once

#include <array>
#include <cstdint>

#include "vectors.h"

namespace skep::board {

inline constexpr char kBoardName[] = "mps2_an505";
inline constexpr std::uint32_t kCoreHertz = 20'000'000;
inline constexpr std::uint32_t kUart = 0x50200000;        // the console
inline constexpr std::uint32_t kSensorUart = 0x50201000;  // the second one
inline constexpr std::uint32_t kTimer = 0x50000000;
inline constexpr std::uint32_t kEthernet = 0x52000000;
inline constexpr std::uint32_t kFlashProgramBytes = 8;  // of the flash that is played

// All other devices are polled; SysTick wakes the core.
inline constexpr std::uint32_t kSensorInterrupt = 43;  // UART 1 combined
extern "C" void sensor_uart_handler();
inline constexpr std::array kInterrupts = {Interrupt{kSensorInterrupt, &sensor_uart_handler}};

}  // namespace skep::board
