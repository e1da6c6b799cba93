#include "reference_round.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "samples.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"
#include "skep/round/local_round.h"
#include "skep/round_testing/reference_update.h"

namespace skep::firmware_test {
namespace {

using round_testing::kReferenceSampleCount;
using round_testing::kReferenceSpec;

constexpr learn::MemoryPlan kMemory = *learn::plan_memory(kReferenceSpec);
constexpr std::size_t kWorkspaceBytes = 4096;

alignas(8) std::array<std::byte, kWorkspaceBytes> workspace;
std::array<std::uint8_t, kMemory.weights_blob_bytes> weights;
StaticSamples<kReferenceSampleCount, kReferenceSpec.inputs> samples;

Status make_weights() {
  SKEP_ASSIGN_OR_RETURN(
      learn::Engine engine,
      learn::Engine::create(kReferenceSpec, learn::Purpose::kInference, workspace));
  SKEP_TRY(engine.initialize(1));
  return engine.store(weights);
}

}  // namespace

Result<seal::Sha256Digest> reference_update_digest(const seal::SigningKey& key) {
  SKEP_TRY(make_weights());
  fill_separable(samples, kReferenceSpec.outputs());
  static const wire::RoundPlan plan = round_testing::reference_plan();
  static const SpanSource source(weights);
  static round::LocalRound round(samples, workspace);
  SKEP_TRY(
      round.begin({plan, kReferenceSpec, source, "bee-1", key, round_testing::kReferenceSeed}));
  while (!round.compressed().has_value()) {
    SKEP_ASSIGN_OR_RETURN(const bool is_done, round.step(7));
    if (is_done) return Status::kInternal;
  }
  return seal::sha256(round.compressed()->bytes());
}

}  // namespace skep::firmware_test
