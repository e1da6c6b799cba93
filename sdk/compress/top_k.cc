#include "top_k.h"

#include <array>

namespace skep::compress {

Selection select_top_k(std::span<const std::int16_t> values, std::uint32_t keep_count) {
  std::array<BucketCounter, kBucketCount> counts{};
  for (const std::int16_t value : values) ++counts[bucket_of(magnitude_of(value))];

  std::uint32_t bucket = kBucketCount - 1;
  std::uint32_t left = keep_count;
  while (counts[bucket] < left) {
    left -= counts[bucket];
    --bucket;
  }
  return {smallest_of(bucket + 1), smallest_of(bucket), left};
}

}  // namespace skep::compress
