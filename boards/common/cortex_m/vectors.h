// The vector table: the system exceptions, and the interrupts that board_map.h names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace skep::board {

using Handler = void (*)();

inline constexpr std::size_t kSystemVectors = 16;
inline constexpr std::size_t kInterruptVectors = 64;

/// An entry of a board's kInterrupts: the interrupt's number and who handles it.
struct Interrupt {
  std::uint32_t number;  ///< Below kInterruptVectors.
  Handler handler;
};

struct VectorTable {
  void* stack_top;
  std::array<Handler, kSystemVectors - 1 + kInterruptVectors> handlers;
};

// The linker script's name.
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers,readability-identifier-naming)
extern "C" const VectorTable vector_table;

}  // namespace skep::board
