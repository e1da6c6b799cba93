// The one update that every compiler, build type and board must make.
#pragma once

#include <cstdint>
#include <string_view>

#include "skep/learn_testing/specs.h"
#include "skep/model_spec.h"

namespace skep::round_testing {

/// Model, samples (separable_samples()), training seed and plan (make_plan()) of the reference
/// update; first weights as by Engine::initialize(1).
inline constexpr ModelSpec kReferenceSpec = learn_testing::mlp_spec({6, 8, 3}, -15);
inline constexpr std::uint32_t kReferenceSampleCount = 60;
inline constexpr std::uint32_t kReferenceSeed = 5;

/// SHA-256 of the compressed update, before sealing. Change it only with the algorithm.
inline constexpr std::string_view kReferenceUpdateSha256 =
    "d9bd8f43384b1ebb3d87e159a1a05c05f24adfdea7e1e000358072d93c05e3ae";

}  // namespace skep::round_testing
