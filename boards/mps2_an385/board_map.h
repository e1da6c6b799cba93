// Where the AN385 image has its devices (Arm application note 385, chapter on the memory map).
#pragma once

#include <array>
#include <cstdint>

#include "vectors.h"

namespace skep::board {

inline constexpr char kBoardName[] = "mps2_an385";
inline constexpr std::uint32_t kCoreHertz = 25'000'000;
inline constexpr std::uint32_t kUart = 0x40004000;        // the console
inline constexpr std::uint32_t kSensorUart = 0x40005000;  // the second one
inline constexpr std::uint32_t kTimer = 0x40000000;
inline constexpr std::uint32_t kEthernet = 0x40200000;
inline constexpr std::uint32_t kFlashProgramBytes = 4;  // of the flash that is played

// All other devices are polled; SysTick wakes the core.
inline constexpr std::uint32_t kSensorInterrupt = 2;  // UART 1 receive
extern "C" void sensor_uart_handler();
inline constexpr std::array kInterrupts = {Interrupt{kSensorInterrupt, &sensor_uart_handler}};

}  // namespace skep::board
