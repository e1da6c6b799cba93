// The one update that every compiler, build type and board must make.
#pragma once

#include <cstdint>
#include <string_view>

#include "skep/learn_testing/specs.h"
#include "skep/model_spec.h"
#include "skep/wire/codec.h"

namespace skep::round_testing {

/// Model, samples (separable_samples()), training seed and plan (reference_plan()) of the reference
/// update; first weights as by Engine::initialize(1).
inline constexpr ModelSpec kReferenceSpec = learn_testing::mlp_spec({6, 8, 3}, -15);
inline constexpr std::uint32_t kReferenceSampleCount = 60;
inline constexpr std::uint32_t kReferenceSeed = 5;

/// Round 1 on model 1, as far as it has to do with training; whose round it is, its user says.
inline wire::RoundPlan reference_plan() {
  wire::RoundPlan plan{};
  plan.version = wire::kRoundPlanVersion;
  plan.state = skep_RoundState_ROUND_STATE_OPEN;
  plan.round = 1;
  plan.base_version = 1;
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = 1;
  plan.learning_rate_shift = 4;
  plan.local_epochs = 2;
  plan.batch_size = 1;
  plan.clip_norm_q16 = 1U << 16U;
  plan.compression = skep_Compression_COMPRESSION_TOP_K;
  plan.keep_permille = 500;
  plan.value_bits = 8;
  plan.kem = skep_Kem_KEM_DHKEM_P256_HKDF_SHA256;
  return plan;
}

/// SHA-256 of the compressed update, before sealing. Change it only with the algorithm.
inline constexpr std::string_view kReferenceUpdateSha256 =
    "d9bd8f43384b1ebb3d87e159a1a05c05f24adfdea7e1e000358072d93c05e3ae";

}  // namespace skep::round_testing
