// The randomised Hadamard transform of EDEN (Vargaftik et al. 2022), without its factor 1 / √n.
#pragma once

#include <cstdint>
#include <span>

namespace skep::compress {

/// 32 signs for the elements from 32 * block on: element i is negated if bit i % 32 is set.
[[nodiscard]] std::uint32_t random_signs(std::uint32_t seed, std::uint32_t block);

/// values ← H · values / 2^result, in int16: a stage that could overflow halves its results,
/// rounding toward zero, which favours no sign. H is the Walsh-Hadamard matrix in natural order,
/// the length a power of two. Returns the number of stages that halved.
int transform_int16(std::span<std::int16_t> values);

/// values ← H · values, exactly. |values| times the length is below 2^31.
void transform_exactly(std::span<std::int32_t> values);

}  // namespace skep::compress
