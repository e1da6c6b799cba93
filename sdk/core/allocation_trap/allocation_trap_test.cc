#include "skep/allocation_trap/allocation_trap.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>

namespace skep::allocation_trap {
namespace {

void allocate_with_new() {
  const Trap trap(true);
  std::byte* volatile pointer = new std::byte;
  delete pointer;
}

// Opaque pointers to the functions, or the compiler would leave out the allocations.
void allocate_with_malloc() {
  void* (*volatile allocate)(std::size_t) = std::malloc;
  const Trap trap(true);
  std::free(allocate(8));
}

void allocate_with_calloc() {
  void* (*volatile allocate)(std::size_t, std::size_t) = std::calloc;
  const Trap trap(true);
  std::free(allocate(2, 4));
}

void allocate_with_realloc() {
  void* (*volatile allocate)(void*, std::size_t) = std::realloc;
  const Trap trap(true);
  std::free(allocate(nullptr, 8));
}

void allocate_after_a_pause() {
  const Trap trap(true);
  { const Trap pause(false); }
  std::byte* volatile pointer = new std::byte;
  delete pointer;
}

TEST(AllocationTrapDeathTest, EndsTheProgramAtEveryKindOfAllocation) {
  EXPECT_DEATH(allocate_with_new(), "allocation from the SDK: operator new");
  EXPECT_DEATH(allocate_with_malloc(), "allocation from the SDK: malloc");
  EXPECT_DEATH(allocate_with_calloc(), "allocation from the SDK: calloc");
  EXPECT_DEATH(allocate_with_realloc(), "allocation from the SDK: realloc");
}

TEST(AllocationTrapDeathTest, IsArmedAgainAfterANestedPause) {
  EXPECT_DEATH(allocate_after_a_pause(), "allocation from the SDK");
}

TEST(AllocationTrap, LetsTheWorldOutsideAllocate) {
  const Trap trap(true);
  void* const pool = untrapped_calloc(1, 8);
  EXPECT_NE(pool, nullptr);
  std::free(pool);
  const Trap pause(false);
  std::byte* volatile pointer = new std::byte;
  delete pointer;
}

}  // namespace
}  // namespace skep::allocation_trap
