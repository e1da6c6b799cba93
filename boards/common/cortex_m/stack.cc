#include "stack.h"

#include <cstdint>

#include "linker_symbols.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kPaint = 0xA5C3A5C3;

}  // namespace

void paint_stack() {
  std::uint32_t* stack_pointer = nullptr;
  asm volatile("mov %0, sp" : "=r"(stack_pointer));
  for (std::uint32_t* word = __stack_limit; word < stack_pointer; ++word) {
    *const_cast<volatile std::uint32_t*>(word) = kPaint;
  }
}

std::uint32_t stack_peak_bytes() {
  const std::uint32_t* word = __stack_limit;
  while (word != __stack_top && *word == kPaint) ++word;
  return static_cast<std::uint32_t>(__stack_top - word) * sizeof(*word);
}

std::uint32_t stack_size_bytes() {
  return static_cast<std::uint32_t>(__stack_top - __stack_limit) * sizeof(*__stack_top);
}

}  // namespace skep::board
