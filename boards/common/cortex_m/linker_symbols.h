// What sections.ld defines. Addresses only: the objects have no value.
#pragma once

#include <cstdint>

// NOLINTBEGIN(bugprone-dynamic-static-initializers,bugprone-reserved-identifier,*-naming)
extern "C" {
extern std::uint32_t __code_start[];
extern std::uint32_t __code_end[];
extern std::uint32_t __stack_limit[];
extern std::uint32_t __stack_top[];
extern std::uint32_t __data_start[];
extern std::uint32_t __data_end[];
extern std::uint32_t __data_load[];
extern std::uint32_t __bss_start[];
extern std::uint32_t __bss_end[];
extern void (*__init_array_start[])();
extern void (*__init_array_end[])();
}
// NOLINTEND(bugprone-dynamic-static-initializers,bugprone-reserved-identifier,*-naming)
