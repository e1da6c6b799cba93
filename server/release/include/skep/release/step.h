// The step from one release to the next, in few bits: what a device has to download of it.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/bytes.h"
#include "skep/model_spec.h"
#include "skep/release/error.h"

namespace skep::release {

inline constexpr std::uint32_t kMinStepBits = 2;
inline constexpr std::uint32_t kMaxStepBits = 16;

/// `weights` with its step from `base` rounded: every weight and bias is that of `base`, rescaled
/// to the layer's new exponent (wire::rescale()), plus a multiple of 2^s that is nearest to the
/// step, ties to even. For each layer's weights and for its biases `s` is the smallest with which
/// `bits` bits hold all multiples, sign included; a sum that would leave its type's range is one
/// multiple less. Integer only: the same bytes on every machine.
///
/// Both blobs are those of `spec`. Where a step needs no more than `bits` bits it stays as it is.
///
/// Errors: ReleaseError of kInvalidArgument if the spec cannot run, `bits` is not kMinStepBits …
/// kMaxStepBits, or a blob has another length or an exponent out of range.
std::vector<std::uint8_t> quantise_step(const ModelSpec& spec, Bytes base, Bytes weights,
                                        std::uint32_t bits);

}  // namespace skep::release
