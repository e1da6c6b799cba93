// The K elements of largest magnitude, without sorting and without memory of the model's size.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>

#include "skep/config.h"

namespace skep::compress {

/// Magnitudes 0 … 32768 in 105 buckets, 8 an octave: those below 16 each have their own.
inline constexpr std::uint32_t kBucketCount = 105;

/// An element count a bucket; 16 bits where no model is larger.
using BucketCounter = std::conditional_t<(kMaxParameters < 65536), std::uint16_t, std::uint32_t>;

[[nodiscard]] constexpr std::uint32_t magnitude_of(std::int16_t value) {
  const std::int32_t wide = value;
  return static_cast<std::uint32_t>(wide < 0 ? -wide : wide);
}

[[nodiscard]] constexpr std::uint32_t bucket_of(std::uint32_t magnitude) {
  // The leading four bits are the bucket within its octave; those before it come 8 at a time.
  const auto octave = static_cast<std::uint32_t>(std::bit_width(magnitude | 8U)) - 4;
  return (octave << 3) + (magnitude >> octave);
}

/// The smallest magnitude of a bucket, 0 … kBucketCount.
[[nodiscard]] constexpr std::uint32_t smallest_of(std::uint32_t bucket) {
  if (bucket < 16) return bucket;
  return ((bucket & 7U) + 8) << ((bucket >> 3) - 1);
}

static_assert(bucket_of(32768) + 1 == kBucketCount);
static_assert(smallest_of(bucket_of(32768)) == 32768);

/// Which elements are kept: all of magnitude ≥ `certain`, and in the order of their indices the
/// first `tie_count` of those in [tie, certain).
struct Selection {
  std::uint32_t certain;
  std::uint32_t tie;
  std::uint32_t tie_count;
};

/// Requires 1 ≤ keep_count ≤ values.size() ≤ kMaxParameters.
[[nodiscard]] Selection select_top_k(std::span<const std::int16_t> values,
                                     std::uint32_t keep_count);

/// Calls visit(index, value) for each kept element, indices rising.
template <typename Visitor>
void for_each_kept(std::span<const std::int16_t> values, Selection selection, Visitor&& visit) {
  const auto size = static_cast<std::uint32_t>(values.size());
  for (std::uint32_t index = 0; index < size; ++index) {
    const std::uint32_t magnitude = magnitude_of(values[index]);
    if (magnitude < selection.tie) continue;
    if (magnitude < selection.certain) {
      if (selection.tie_count == 0) continue;
      --selection.tie_count;
    }
    visit(index, values[index]);
  }
}

}  // namespace skep::compress
