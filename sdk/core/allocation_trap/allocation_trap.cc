#include "skep/allocation_trap/allocation_trap.h"

#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

volatile bool armed = false;  // volatile: the compiler believes that malloc never reads it

void fail_if_armed(const char* what) {
  if (!armed) return;
  armed = false;
  std::fprintf(stderr, "allocation from the SDK: %s\n", what);
  std::abort();
}

}  // namespace

// The linker's --wrap (CMakeLists.txt) makes malloc() a call of __wrap_malloc(), and
// __real_malloc() the C library's; so it works beside a sanitizer's allocator, too.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): the linker's names
extern "C" {
void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* pointer, std::size_t size);

void* __wrap_malloc(std::size_t size) {
  fail_if_armed("malloc");
  return __real_malloc(size);
}
void* __wrap_calloc(std::size_t count, std::size_t size) {
  fail_if_armed("calloc");
  return __real_calloc(count, size);
}
void* __wrap_realloc(void* pointer, std::size_t size) {
  fail_if_armed("realloc");
  return __real_realloc(pointer, size);
}
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

// Not inlined: gcc would see free() on what new returned and warn of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  fail_if_armed("operator new");
  if (void* const pointer = __real_malloc(size == 0 ? 1 : size)) return pointer;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* pointer) noexcept { std::free(pointer); }
[[gnu::noinline]] void operator delete(void* pointer, std::size_t) noexcept { std::free(pointer); }

namespace skep::allocation_trap {

Trap::Trap(bool is_armed) : before_(armed) { armed = is_armed; }

Trap::~Trap() { armed = before_; }

void* untrapped_calloc(std::size_t count, std::size_t size) { return __real_calloc(count, size); }

}  // namespace skep::allocation_trap
