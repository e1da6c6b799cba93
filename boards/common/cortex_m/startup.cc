// From reset to main().
#include <cstddef>
#include <cstdint>

#include "linker_symbols.h"
#include "mpu.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"
#include "stack.h"
#include "vectors.h"

// main() by another name, because C++ lets no program call its own main().
extern "C" int application() asm("main");

namespace skep::board {
namespace {

void copy_words(std::uint32_t* to, const std::uint32_t* end, const std::uint32_t* from) {
  while (to != end) *to++ = *from++;
}

void clear_words(std::uint32_t* to, const std::uint32_t* end) {
  while (to != end) *to++ = 0;
}

void construct_static_objects() {
  for (void (**constructor)() = __init_array_start; constructor != __init_array_end;
       ++constructor) {
    (*constructor)();
  }
}

}  // namespace

extern "C" [[noreturn]] void reset_handler() {
  // A faulting start must not run the handlers of whatever was here before (a boot loader).
  reg(kVectorTable) = reinterpret_cast<std::uint32_t>(&vector_table);
  paint_stack();
  copy_words(__data_start, __data_end, __data_load);
  clear_words(__bss_start, __bss_end);
  protect_memory();
  start_hardware();
  construct_static_objects();
  exit(application());
}

}  // namespace skep::board
