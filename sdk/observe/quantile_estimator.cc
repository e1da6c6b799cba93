#include "skep/observe/quantile_estimator.h"

#include <algorithm>
#include <bit>

namespace skep::observe {
namespace {

constexpr std::uint32_t kExact = 16;  // values below have a bucket each
constexpr std::uint32_t kSubBits = 3;

// Position of the lowest of the four leading bits that choose a bucket. value ≥ kExact.
std::uint32_t shift_of(std::uint32_t value) {
  return static_cast<std::uint32_t>(std::bit_width(value)) - 1 - kSubBits;
}

std::uint32_t bucket_of(std::uint32_t value) {
  if (value < kExact) return value;
  const std::uint32_t shift = shift_of(value);
  // value >> shift is 8 … 15; shift is 1 … 28.
  return kExact + ((shift - 1) << kSubBits) + (value >> shift) - (1U << kSubBits);
}

// The largest value in the bucket.
std::uint32_t upper_end_of(std::uint32_t bucket) {
  if (bucket < kExact) return bucket;
  const std::uint32_t shift = ((bucket - kExact) >> kSubBits) + 1;
  const std::uint32_t leading = ((bucket - kExact) & 7U) + (1U << kSubBits);
  return static_cast<std::uint32_t>((std::uint64_t{leading + 1} << shift) - 1);
}

}  // namespace

QuantileEstimator::QuantileEstimator(std::uint16_t memory)
    : memory_(std::clamp<std::uint16_t>(memory, 1, kMaxMemory)) {}

void QuantileEstimator::add(std::uint32_t value) {
  ++counts_[bucket_of(value)];
  ++weight_;
  if (weight_ >= 2U * memory_) halve();
}

// From the top, what is left of an odd count goes to the next bucket: so the weight from any
// bucket upwards is halved and rounded down, and errors do not add up.
void QuantileEstimator::halve() {
  std::uint32_t left_over = 0;
  weight_ = 0;
  for (std::uint32_t i = kBuckets; i-- > 0;) {
    const std::uint32_t count = counts_[i] + left_over;
    left_over = count & 1U;
    counts_[i] = static_cast<std::uint16_t>(count >> 1U);
    weight_ += counts_[i];
  }
}

std::uint32_t QuantileEstimator::quantile(std::uint32_t rank_q16) const {
  // ceil(rank * weight), at least 1.
  const std::uint64_t product = std::uint64_t{rank_q16} * weight_;
  const auto target = std::max<std::uint64_t>((product + 0xFFFFU) >> 16U, 1);
  std::uint64_t below = 0;
  for (std::uint32_t i = 0; i < kBuckets; ++i) {
    below += counts_[i];
    if (below >= target) return upper_end_of(i);
  }
  return 0;
}

}  // namespace skep::observe
