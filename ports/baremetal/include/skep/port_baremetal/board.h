// What a bare-metal board implements besides its flash (raw_flash.h) and its network interface
// (ethernet.h). A board is a folder in boards/; docs/guides/port-a-board.md walks through one.
//
// No function blocks for longer than the hardware needs. Interrupt handlers belong to the board.
#pragma once

#include <cstdint>
#include <string_view>

#include "skep/bytes.h"
#include "skep/port_baremetal/raw_flash.h"
#include "skep/status.h"

namespace skep::board {

/// Exit codes that the start-up code itself uses; an application's own stay below 64.
inline constexpr int kExitFault = 70;        ///< The core found an error; the UART says which.
inline constexpr int kExitUnreachable = 71;  ///< abort(), a pure virtual call, a failed check.

/// As in `uname`: the folder's name. Never null.
[[nodiscard]] const char* name();

/// Called once, before static objects exist: UART, time base, interrupts.
void start_hardware();

/// Sends text to the console (a UART) and returns when its last byte is in the transmitter.
void write(std::string_view text);

/// The board's finest steady counter, since the start. Never goes backwards.
/// Callable with interrupts masked, for up to a minute.
[[nodiscard]] std::uint64_t ticks();
[[nodiscard]] std::uint32_t ticks_per_second();

/// Sleeps until an interrupt; there is one at least every 20 ms.
void wait_for_interrupt();

/// Masks all interrupts. Returns what restore_interrupts() wants; nests.
[[nodiscard]] std::uint32_t mask_interrupts();
void restore_interrupts(std::uint32_t previous);

/// Bytes of a hardware source of randomness; on an emulated board, of the host's.
///
/// Errors: kNoEntropy if there is none, or it failed its own checks: callers then make no key,
/// no nonce, no noise and no session.
Status fill_entropy(MutableBytes out);

/// The flash that belongs to Skep. The same object each time.
///
/// Errors: kStorageFailed if the board cannot reach it (an emulated board: the host's file).
[[nodiscard]] Result<port_baremetal::RawFlash*> flash();

/// How deep the stack has been since the reset, and how large it is.
[[nodiscard]] std::uint32_t stack_peak_bytes();
[[nodiscard]] std::uint32_t stack_size_bytes();

/// Starts again from the reset vector; memory in section .noinit keeps its content.
[[noreturn]] void reset();

/// Ends a test: an emulated board ends its emulator with this exit code. A real one has nobody
/// to tell: it prints the code and, as an application never ends on its own, resets.
[[noreturn]] void exit(int code);

}  // namespace skep::board
