// The engine must not allocate.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine_test_support.h"
#include "skep/allocation_trap/allocation_trap.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/specs.h"

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
  ok = ok && engine.forward(features).ok() && engine.evaluate(features, 1).ok() &&
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
  const bool ok = [&] {
    const allocation_trap::Trap trap(true);
    return use_everything(memory, blob, delta, features);
  }();
  EXPECT_TRUE(ok);
}

}  // namespace
}  // namespace skep::learn
