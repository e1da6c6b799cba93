// The float32 peer of the engine on a board: the reference network of learn_testing, compiled for
// the core's floating-point unit where it has one.
#pragma once

#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/model_spec.h"

namespace skep::firmware_test {

/// Whether the peer uses floating-point instructions; else the compiler's library computes.
[[nodiscard]] bool float_peer_has_fpu();

/// Makes the network on `memory` (aligned to 8 bytes) with the weights of a canonical blob. There
/// is one at a time. Returns the bytes that it takes, or 0 if `memory` is too small.
std::uint32_t make_float_peer(const ModelSpec& spec, Bytes weights, std::span<std::byte> memory);

/// Both take the engine's features. The former returns the predicted class, the latter a loss.
std::uint16_t run_float_peer(std::span<const std::int16_t> features);
float train_float_peer(std::span<const std::int16_t> features, std::uint16_t label, float rate);

}  // namespace skep::firmware_test
