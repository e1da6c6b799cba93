#include "skep/compress/error_feedback.h"

#include <algorithm>
#include <cstdint>

#include "skep/config.h"
#include "skep/core/integer_math.h"
#include "sparse_decoder.h"

namespace skep::compress {
namespace {

/// Sums of two vectors of different exponents, exactly: in units of the smaller one's.
class ExactSums {
 public:
  ExactSums(std::span<const std::int16_t> a, int a_exponent, std::span<const std::int16_t> b,
            int b_exponent)
      : a_(a),
        b_(b),
        exponent_(std::min(a_exponent, b_exponent)),
        a_unit_(std::int64_t{1} << (a_exponent - exponent_)),
        b_unit_(std::int64_t{1} << (b_exponent - exponent_)) {}

  /// At most 2^48 in magnitude: int16 shifted by at most 32, twice.
  [[nodiscard]] std::int64_t operator[](std::size_t i) const {
    return a_[i] * a_unit_ + b_[i] * b_unit_;
  }
  [[nodiscard]] int exponent() const { return exponent_; }

  /// Halvings, rounded, after which all sums fit into int16; at most so many that the exponent is
  /// kMaxDeltaExponent.
  [[nodiscard]] unsigned halvings() const {
    std::int64_t low = 0;
    std::int64_t high = 0;
    for (std::size_t i = 0; i < a_.size(); ++i) {
      low = std::min(low, (*this)[i]);
      high = std::max(high, (*this)[i]);
    }
    unsigned shift = 0;
    while (exponent_ + static_cast<int>(shift) < kMaxDeltaExponent &&
           (shift_right_half_even(low, shift) < INT16_MIN ||
            shift_right_half_even(high, shift) > INT16_MAX)) {
      ++shift;
    }
    return shift;
  }

 private:
  std::span<const std::int16_t> a_;
  std::span<const std::int16_t> b_;
  int exponent_;
  std::int64_t a_unit_;
  std::int64_t b_unit_;
};

/// Whether `sent` can be what was sent of `value`: top-K sends a part of it, ternary may send more.
bool is_sent_from(std::int64_t sent, std::int64_t value, CompressionMode mode) {
  const bool is_part = value < 0 ? sent >= value : sent <= value;
  return sent * value >= 0 && (is_part || mode == CompressionMode::kTernary) &&
         value - sent >= INT16_MIN && value - sent <= INT16_MAX;
}

/// Walks over what was sent. What is left of each element goes to its place in `rests`, if there
/// is one: without, the walk only checks.
///
/// Errors: kInvalidArgument if it is not made from `from`.
Status visit_rests(const Delta& from, Bytes sent, const Options& options,
                   std::span<std::int16_t> rests) {
  const auto opened =
      SparseDecoder::open(sent, static_cast<std::uint32_t>(from.values.size()), options);
  if (!opened.ok() || opened->header().exponent < from.exponent) return Status::kInvalidArgument;
  SparseDecoder decoder = *opened;
  const std::int64_t unit = std::int64_t{decoder.header().scale}
                            << (decoder.header().exponent - from.exponent);
  std::uint32_t index = 0;
  std::int32_t value = 0;
  for (;;) {
    const Result<bool> more = decoder.next(index, value);
    if (!more.ok()) return Status::kInvalidArgument;
    if (!*more) return Status::kOk;
    const std::int64_t part = value * unit;
    if (!is_sent_from(part, from.values[index], options.mode)) return Status::kInvalidArgument;
    if (!rests.empty()) rests[index] = static_cast<std::int16_t>(from.values[index] - part);
  }
}

}  // namespace

ErrorFeedback::ErrorFeedback(std::span<std::int16_t> memory) : memory_(memory) { reset(); }

void ErrorFeedback::reset() {
  std::fill(memory_.begin(), memory_.end(), std::int16_t{0});
  exponent_ = kMaxDeltaExponent;  // of zeros any will do; this one costs sums no precision
}

Status ErrorFeedback::add_to(Delta& delta) const {
  if (delta.values.size() != memory_.size() || delta.exponent < kMinDeltaExponent ||
      delta.exponent > kMaxDeltaExponent) {
    return Status::kInvalidArgument;
  }
  const ExactSums sums(delta.values, delta.exponent, memory_, exponent_);
  const unsigned halvings = sums.halvings();
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    const std::int64_t sum = shift_right_half_even(sums[i], halvings);
    delta.values[i] = static_cast<std::int16_t>(
        std::clamp(sum, std::int64_t{INT16_MIN}, std::int64_t{INT16_MAX}));
  }
  delta.exponent = sums.exponent() + static_cast<int>(halvings);
  return Status::kOk;
}

Status ErrorFeedback::retain(const Noised& sent_from, const Compressed& sent,
                             const Options& options) {
  const Delta& from = sent_from.delta();
  if (from.values.size() != memory_.size() || !has_error_feedback(options.mode)) {
    return Status::kInvalidArgument;
  }
  SKEP_TRY(visit_rests(from, sent.bytes(), options, {}));
  std::copy(from.values.begin(), from.values.end(), memory_.begin());
  exponent_ = from.exponent;
  return visit_rests(from, sent.bytes(), options, memory_);
}

}  // namespace skep::compress
