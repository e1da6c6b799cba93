// What happens when the core finds an error: a line on the UART, then the end.
#include <cstdint>

#include "linker_symbols.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/line.h"

namespace skep::board {
namespace {

// What the core pushes on the stack (Armv7-M ARM B1.5.6).
constexpr std::size_t kFrameWords = 8;
constexpr std::size_t kFrameReturnAddress = 5;
constexpr std::size_t kFrameProgramCounter = 6;

const char* name_of(std::uint32_t exception) {
  switch (exception) {
    case 3:
      return "hard fault";
    case 4:
      return "memory protection fault";
    case 5:
      return "bus fault";
    case 6:
      return "usage fault";
    case 7:
      return "secure fault";
    default:
      return "unexpected interrupt";
  }
}

std::uint32_t current_exception() {
  std::uint32_t exception = 0;
  asm volatile("mrs %0, ipsr" : "=r"(exception));
  return exception;
}

}  // namespace

// `frame`: the stack pointer at the fault, maybe outside of the stack.
extern "C" [[noreturn, gnu::used]] void report_fault(const std::uint32_t* frame) {
  const std::uint32_t exception = current_exception();
  port_baremetal::Line line;
  line.text("fault: ").text(name_of(exception)).text(" exception=").number(exception);
  line.text(" cfsr=").hex(reg(kFaultStatus)).text(" hfsr=").hex(reg(kHardFaultStatus));
  line.text(" mmfar=").hex(reg(kMemoryFaultAddress)).text(" bfar=").hex(reg(kBusFaultAddress));
  line.text(" sp=").hex(reinterpret_cast<std::uint32_t>(frame));
  if (frame >= __stack_limit && frame + kFrameWords <= __stack_top) {
    line.text(" pc=").hex(frame[kFrameProgramCounter]).text(" lr=").hex(frame[kFrameReturnAddress]);
  }
  line.end();
  exit(kExitFault);
}

// The stack may be what is broken, so the report starts on an empty one. Nothing is pushed here.
extern "C" [[gnu::naked, gnu::used]] void fault_handler() {
  asm volatile(
      "mov r0, sp\n\t"
      "ldr r1, =__stack_top\n\t"
      "mov sp, r1\n\t"
      "b report_fault\n\t"
      ".ltorg");
}

extern "C" [[gnu::naked, gnu::used]] void unexpected_interrupt() {
  asm volatile("b fault_handler");
}

}  // namespace skep::board
