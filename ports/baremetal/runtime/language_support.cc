// What compiled C++ and the C library expect from a system, and a board has not.
//
// The library's own versions print with stdio or allocate; each of these says where it was and
// ends. That is all that was needed to keep malloc out of an image: picolibc's string and
// formatting functions do not allocate.
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "skep/port_baremetal/board.h"

namespace {

[[noreturn]] void give_up(std::string_view reason) {
  skep::board::write(reason);
  skep::board::exit(skep::board::kExitUnreachable);
}

}  // namespace

// The names are those of the ABI and of libstdc++; what never returns was declared so by them.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)

extern "C" {

void abort() { give_up("fatal: abort\n"); }

// Mbed TLS, when it finds its arena's bookkeeping destroyed.
void exit(int /*code*/) { give_up("fatal: exit\n"); }

[[noreturn]] void __cxa_pure_virtual() { give_up("fatal: pure virtual call\n"); }

// Firmware never ends, so objects of static lifetime are never destroyed.
int __aeabi_atexit(void* /*object*/, void (* /*destructor*/)(void*), void* /*module*/) { return 0; }
int atexit(void (* /*function*/)()) { return 0; }
void* __dso_handle = nullptr;

}  // extern "C"

// Library code that checks an argument calls these, also where it cannot fail (substr() of a
// position that was just found). libstdc++'s own make an exception object, with malloc.
namespace std {

void __throw_out_of_range_fmt(const char* /*format*/, ...) { give_up("fatal: out of range\n"); }
void __throw_length_error(const char* /*what*/) { give_up("fatal: length\n"); }
void __throw_logic_error(const char* /*what*/) { give_up("fatal: logic\n"); }

}  // namespace std

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
