// What compression leaves out of one update is added to the next.
#pragma once

#include <cstdint>
#include <span>

#include "skep/compress/compressor.h"
#include "skep/flow.h"
#include "skep/status.h"

namespace skep::compress {

/// The residual of top-K and ternary (Seide et al. 2014; Karimireddy et al. 2019, algorithm 2).
///
/// In each round: add_to(delta), then clip, add noise, compress, then retain(). Adding before
/// clipping keeps the norm of what is sent within the clip norm; what clipping takes away is not
/// kept. Residual: int16[d] in the caller's memory with one exponent; 20 B beside it. Stack 900 B,
/// no heap. One owner at a time.
class ErrorFeedback {
 public:
  /// Starts without a residual: sets `memory` to zero. It must outlive the object.
  explicit ErrorFeedback(std::span<std::int16_t> memory);

  /// Adds the residual to `delta`, in the smallest exponent in which every sum fits into int16;
  /// sums are rounded to nearest, ties to even. Without a residual, `delta` stays as it is.
  /// The residual itself stays until retain() replaces it. (A sum that does not fit even in
  /// kMaxDeltaExponent saturates.)
  ///
  /// Errors: kInvalidArgument if the length is not the memory's, or the exponent is outside of
  /// kMinDeltaExponent … kMaxDeltaExponent. On error `delta` is unchanged.
  Status add_to(Delta& delta) const;

  /// Makes the residual what of `sent_from` was not in `sent`: exactly, in its exponent.
  ///
  /// `options`: those it was compressed with.
  ///
  /// Errors: kInvalidArgument if the length is not the memory's, the mode is one without error
  /// feedback (has_error_feedback()), or `sent` was not compressed from `sent_from`. On error the
  /// residual is unchanged.
  Status retain(const Noised& sent_from, const Compressed& sent, const Options& options);

  /// Forgets the residual, as after a change of the model.
  void reset();

  [[nodiscard]] std::span<const std::int16_t> residual() const { return memory_; }
  [[nodiscard]] int exponent() const { return exponent_; }

 private:
  std::span<std::int16_t> memory_;
  int exponent_;
};

}  // namespace skep::compress
