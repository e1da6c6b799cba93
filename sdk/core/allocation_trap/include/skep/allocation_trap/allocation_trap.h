// On a device there is no allocator. A test program that links skep::allocation_trap ends with a
// message when the code inside an armed Trap allocates.
#pragma once

#include <cstddef>

namespace skep::allocation_trap {

/// Arms or disarms the trap for as long as it lives; then it is again what it was. Traps nest: what
/// stands for the world outside of the SDK disarms it while it works. For one thread.
///
/// While armed, malloc, calloc, realloc and operator new called from the program's own objects and
/// archives (shared libraries only through operator new) print "allocation from the SDK: " with the
/// function's name on stderr and abort.
class Trap {
 public:
  explicit Trap(bool is_armed);
  ~Trap();
  Trap(const Trap&) = delete;
  Trap& operator=(const Trap&) = delete;

 private:
  bool before_;
};

/// calloc() that the trap does not see, for memory that a board has elsewhere (Mbed TLS's pool).
void* untrapped_calloc(std::size_t count, std::size_t size);

}  // namespace skep::allocation_trap
