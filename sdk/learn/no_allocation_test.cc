// The engine must not allocate: on a device there is no allocator. The linker routes malloc and
// its kin through the wrappers below (CMakeLists.txt), operator new is replaced; while armed, any
// use aborts the test.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <span>
#include <vector>

#include "engine_test_support.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/specs.h"

namespace {

volatile bool armed = false;  // volatile: the compiler believes that malloc never reads it

void fail_if_armed(const char* what) {
  if (!armed) return;
  armed = false;
  std::fprintf(stderr, "allocation from the SDK: %s\n", what);
  std::abort();
}

}  // namespace

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

// Not inlined: gcc would see free() on what new returned and warn of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  fail_if_armed("operator new");
  if (void* const pointer = std::malloc(size == 0 ? 1 : size)) return pointer;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* pointer) noexcept { std::free(pointer); }
[[gnu::noinline]] void operator delete(void* pointer, std::size_t) noexcept { std::free(pointer); }

namespace skep::learn {
namespace {

constexpr ModelSpec kSpec = learn_testing::mlp_spec({16, 8, 4}, -15);

// Every function of the engine's interface.
bool use_everything(std::span<std::byte> memory, std::span<std::uint8_t> blob,
                    std::span<std::int16_t> delta, std::span<const std::int16_t> features) {
  Result<Engine> created = Engine::create(kSpec, Purpose::kTraining, memory);
  if (!created.ok()) return false;
  Engine engine = *created;
  bool ok = engine.initialize(1) == Status::kOk && engine.store(blob) == Status::kOk;
  engine.seed_rounding(2);
  for (std::uint16_t label = 0; label < 4; ++label) {
    ok = ok && engine.train_step(features, label, {16384, 4}).ok();
  }
  ok = ok && engine.forward(features).ok() && engine.loss_q16(1).ok() &&
       engine.predicted_class().ok();
  ok = ok && engine.difference_from(SpanSource(blob), delta, 4).ok();
  return ok && engine.load(SpanSource(blob)) == Status::kOk;
}

TEST(NoAllocation, NoFunctionOfTheEngineAllocates) {
  const MemoryPlan plan = *plan_memory(kSpec);
  std::vector<std::byte> memory(plan.training_bytes);
  std::vector<std::uint8_t> blob(plan.weights_blob_bytes);
  std::vector<std::int16_t> delta(plan.parameter_count);
  const std::vector<std::int16_t> features(16, 20000);
  armed = true;
  const bool ok = use_everything(memory, blob, delta, features);
  armed = false;
  EXPECT_TRUE(ok);
}

void allocate_with_new() {
  armed = true;
  std::byte* volatile pointer = new std::byte;
  armed = false;
  delete pointer;
}

void allocate_with_malloc() {
  void* (*volatile allocate)(std::size_t) = std::malloc;  // opaque, or it would be optimised out
  armed = true;
  void* volatile pointer = allocate(8);
  armed = false;
  std::free(pointer);
}

TEST(NoAllocationDeathTest, TheTrapWorks) {
  EXPECT_DEATH(allocate_with_new(), "allocation from the SDK: operator new");
  EXPECT_DEATH(allocate_with_malloc(), "allocation from the SDK: malloc");
}

}  // namespace
}  // namespace skep::learn
