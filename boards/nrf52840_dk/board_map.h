// The nRF52840's peripherals (product specification 1.7, chapter "Memory map") and the DK's pins.
#pragma once

#include <array>
#include <cstdint>

#include "vectors.h"

namespace skep::board {

inline constexpr std::uint32_t kClock = 0x40000000;
inline constexpr std::uint32_t kUart0 = 0x40002000;  // SLIP
inline constexpr std::uint32_t kRandom = 0x4000D000;
inline constexpr std::uint32_t kRtc1 = 0x40011000;  // time
inline constexpr std::uint32_t kFlashController = 0x4001E000;
inline constexpr std::uint32_t kUarte1 = 0x40028000;  // console

inline constexpr std::uint32_t kPinSlipTransmit = 6;         // P0.06, to the debugger's USB port
inline constexpr std::uint32_t kPinSlipReceive = 8;          // P0.08
inline constexpr std::uint32_t kPinConsole = 1U << 5U | 2U;  // P1.02

inline constexpr std::uint32_t kFlashAreaOffset = 0x00080000;
inline constexpr std::uint32_t kFlashAreaBytes = 0x00080000;
inline constexpr std::uint32_t kFlashPageBytes = 4096;

// ---- interrupts

inline constexpr std::uint32_t kUart0Interrupt = 2;
inline constexpr std::uint32_t kRtc1Interrupt = 17;
extern "C" void uart0_handler();
extern "C" void rtc1_handler();
inline constexpr std::array kInterrupts = {Interrupt{kUart0Interrupt, &uart0_handler},
                                           Interrupt{kRtc1Interrupt, &rtc1_handler}};

}  // namespace skep::board
