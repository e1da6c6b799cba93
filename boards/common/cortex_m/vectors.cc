#include "vectors.h"

#include "board_map.h"
#include "linker_symbols.h"

namespace skep::board {

extern "C" {
[[noreturn]] void reset_handler();
void fault_handler();
void unexpected_interrupt();
void systick_handler();
}

namespace {

constexpr std::array<Handler, kSystemVectors - 1 + kInterruptVectors> make_handlers() {
  std::array<Handler, kSystemVectors - 1 + kInterruptVectors> handlers{};
  for (Handler& handler : handlers) handler = &unexpected_interrupt;
  handlers[0] = &reset_handler;
  for (const std::size_t fault : {3U, 4U, 5U, 6U, 7U}) handlers[fault - 1] = &fault_handler;
  handlers[14] = &systick_handler;
  for (const Interrupt& interrupt : kInterrupts) {
    handlers[kSystemVectors - 1 + interrupt.number] = interrupt.handler;
  }
  return handlers;
}

}  // namespace

// Aligned to the next power of two above its size, as VTOR wants it.
extern "C" [[gnu::section(".vectors"), gnu::used,
             gnu::aligned(512)]] const VectorTable vector_table{__stack_top, make_handlers()};

}  // namespace skep::board
