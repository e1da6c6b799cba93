#include "request_budget.h"

#include <algorithm>

namespace skep::app {

std::uint32_t RequestBudget::spend(const std::string& device, std::int64_t now_s) {
  if (per_minute_ == 0) return 0;
  const auto [entry, is_new] =
      buckets_.try_emplace(device, Bucket{.sixtieths = per_minute_ * kRequest, .filled_s = now_s});
  Bucket& bucket = entry->second;
  bucket = {.sixtieths = sixtieths(bucket, now_s), .filled_s = now_s};
  if (bucket.sixtieths >= kRequest) {
    bucket.sixtieths -= kRequest;
    return 0;
  }
  const std::uint64_t missing = kRequest - bucket.sixtieths;
  return static_cast<std::uint32_t>((missing + per_minute_ - 1) / per_minute_);
}

void RequestBudget::expire(std::int64_t now_s) {
  std::erase_if(buckets_, [&](const auto& entry) {
    return sixtieths(entry.second, now_s) == per_minute_ * kRequest;
  });
}

std::uint64_t RequestBudget::sixtieths(const Bucket& bucket, std::int64_t now_s) const {
  // A minute fills any bucket; more would only overflow.
  const auto elapsed_s =
      static_cast<std::uint64_t>(std::clamp<std::int64_t>(now_s - bucket.filled_s, 0, 60));
  return std::min(bucket.sixtieths + elapsed_s * per_minute_, per_minute_ * kRequest);
}

}  // namespace skep::app
