// The inner loops in portable C++: the reference that every faster version must match bit for bit.
#pragma once

#include <cstdint>

#include "kernel_types.h"

namespace skep::learn::kernels_portable {

/// sums[r] = Σ rows[r * stride + i] * x[i] over i < n, exact, for each of `row_count` rows: a
/// matrix by a vector. Rows may overlap.
void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums);

/// sums[c] += Σ a[i * stride_a + c] * b[i * stride_b + c] over i < count, exact, for each of
/// `channels`: two rows of positions, channel by channel. The caller keeps |sums| below 2^62.
void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums);

/// Stochastically rounded descent on a row of weights (algorithms.md, section 1):
///
///     t    = floor(step * x[i] / 2^16)
///     w[i] = saturate16(w[i] − floor((t + r) / 2^16)),  r uniform in 0 … 2^16 − 1
///
/// so `step` has the unit of w times 2^-32 per unit of x. |step| < 2^31.
/// Two weights share one draw of xorshift32 (13, 17, 5): the even one takes the low half as r,
/// the odd one the high half. A lone last weight takes a draw of its own. `random` is the
/// generator's state, never 0.
///
/// Returns whether a weight has left [−2^14, 2^14), that is, grown into the last bit of headroom.
bool update(std::int16_t* w, const std::int16_t* x, std::uint32_t n, std::int32_t step,
            std::uint32_t& random);

/// update(), and with the weights as they were before it: gradient[i] += w[i] * delta.
/// Reads each weight once. The caller keeps |gradient| below 2^62.
bool update_with_gradient(std::int16_t* w, const std::int16_t* x, std::int64_t* gradient,
                          std::uint32_t n, std::int32_t step, std::int16_t delta,
                          std::uint32_t& random);

}  // namespace skep::learn::kernels_portable
