// How many requests a device may make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace skep::app {

/// A token bucket for each device: it holds as many requests as a minute allows and is filled
/// evenly, so that a burst is served and the mean holds. Exact integers.
///
/// Times are seconds of any clock that does not go back. Memory: a bucket for each device that made
/// a request in the last minute; names are those of verified certificates, so there are no more
/// than devices. Not thread-safe.
class RequestBudget {
 public:
  /// `per_minute` 0 = no limit.
  explicit RequestBudget(std::uint32_t per_minute) : per_minute_(per_minute) {}

  /// Takes one request of the budget. 0 if there was one; otherwise nothing is taken, and the
  /// result says in how many seconds there will be one.
  [[nodiscard]] std::uint32_t spend(const std::string& device, std::int64_t now_s);

  /// Forgets devices that have been quiet for so long that their buckets are full.
  void expire(std::int64_t now_s);

  [[nodiscard]] std::size_t devices() const { return buckets_.size(); }

 private:
  // In sixtieths of a request: a bucket gets `per_minute` of them a second.
  struct Bucket {
    std::uint64_t sixtieths = 0;
    std::int64_t filled_s = 0;
  };
  static constexpr std::uint64_t kRequest = 60;

  /// What the bucket holds now.
  [[nodiscard]] std::uint64_t sixtieths(const Bucket& bucket, std::int64_t now_s) const;

  std::uint32_t per_minute_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace skep::app
