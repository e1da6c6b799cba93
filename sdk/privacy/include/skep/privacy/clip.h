// Bounds how much one device can move the global model.
#pragma once

#include "skep/flow.h"
#include "skep/status.h"

namespace skep::privacy {

/// Scales `delta` in place so that its L2 norm is at most `max_norm`.
///
/// Shape [n], 1 ≤ n ≤ 2^24, int16 with exponent `e`, any values. Integer only: the scale is a
/// 15-bit mantissa rounded down, elements are rounded toward zero and the norm is checked again
/// in exact arithmetic, so the result never exceeds the bound (algorithms.md, section 3). A delta
/// within the bound passes unchanged, bit by bit.
///
/// A delta that is scaled gets a smaller exponent, as far as kMinDeltaExponent allows, so that
/// its largest element keeps the upper half of int16: scaling by 1/1000 costs no precision. The
/// norm that is left is at least max_norm * (1 − 2^-13) − sqrt(n) * 2^(new exponent).
///
/// The memory stays the caller's, the result is a view of it. Stack 64 B, no heap, O(n).
/// Thread-safe for distinct deltas.
///
/// Errors: kInvalidArgument if max_norm is 0, the delta is empty or longer than 2^24, its
/// exponent is outside of kMinDeltaExponent … kMaxDeltaExponent, or its sample_count is 0. On
/// error `delta` is unchanged.
[[nodiscard]] Result<Clipped> clip(Delta delta, Norm max_norm);

}  // namespace skep::privacy
