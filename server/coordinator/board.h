// What the coordinator shows to other threads: the plan, the model, the open round, its counters.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "skep/coordinator/coordinator.h"

namespace skep::coordinator {

/// Bytes sent and updates refused in a round, not yet in the database.
struct Traffic {
  std::uint64_t refused = 0;
  std::uint64_t bytes_down = 0;
};

/// Thread-safe; nothing in it takes long.
class Board {
 public:
  using Package = std::shared_ptr<const std::vector<std::uint8_t>>;
  using Rules = std::shared_ptr<const intake::RoundRules>;

  /// A new plan, all at once. `rules` is null when idle or aggregating.
  void post(std::shared_ptr<const PublishedPlan> plan, Package package, Rules rules,
            std::int64_t deadline_unix_s, std::uint32_t received) {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
    package_ = std::move(package);
    rules_ = std::move(rules);
    deadline_unix_s_ = deadline_unix_s;
    received_ = received;
  }
  void close_intake() {
    const std::lock_guard lock(mutex_);
    rules_ = nullptr;
  }

  [[nodiscard]] std::shared_ptr<const PublishedPlan> plan() const {
    const std::lock_guard lock(mutex_);
    return plan_;
  }
  /// Null if the served model has another version; 0 is always the served one.
  [[nodiscard]] Package package(std::uint32_t version) const {
    const std::lock_guard lock(mutex_);
    return version == 0 || version == plan_->base_version ? package_ : nullptr;
  }
  [[nodiscard]] Rules rules() const {
    const std::lock_guard lock(mutex_);
    return rules_;
  }
  [[nodiscard]] std::int64_t deadline_unix_s() const {
    const std::lock_guard lock(mutex_);
    return deadline_unix_s_;
  }

  void set_now(std::int64_t now_unix_s) {
    const std::lock_guard lock(mutex_);
    now_unix_s_ = now_unix_s;
  }
  [[nodiscard]] std::int64_t now_unix_s() const {
    const std::lock_guard lock(mutex_);
    return now_unix_s_;
  }

  void add_received(std::uint32_t round, std::uint32_t count) {
    const std::lock_guard lock(mutex_);
    ++stored_events_;
    if (plan_->round == round) received_ += count;
  }

  /// Whether the open round may have enough updates, as far as is counted here.
  [[nodiscard]] bool may_be_due(const Settings& settings) const {
    const std::lock_guard lock(mutex_);
    return plan_->open && is_due(settings, received_);
  }
  /// The same for a count that was read from the database after `events` was read.
  [[nodiscard]] bool settle_due(const Settings& settings, std::uint32_t counted,
                                std::uint64_t events) {
    const std::lock_guard lock(mutex_);
    // A revoked device's update no longer counts: correct our own count, unless it has moved.
    if (events == stored_events_) received_ = counted;
    return plan_->open && is_due(settings, counted);
  }
  [[nodiscard]] std::uint64_t stored_events() const {
    const std::lock_guard lock(mutex_);
    return stored_events_;
  }

  void count_refusal() {
    const std::lock_guard lock(mutex_);
    ++traffic_[plan_->round].refused;
  }
  void count_download(std::uint32_t round, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    traffic_[round].bytes_down += bytes;
  }
  [[nodiscard]] std::map<std::uint32_t, Traffic> traffic() const {
    const std::lock_guard lock(mutex_);
    return traffic_;
  }
  /// `saved` is in the database now.
  void forget(const std::map<std::uint32_t, Traffic>& saved) {
    const std::lock_guard lock(mutex_);
    for (const auto& [round, each] : saved) {
      Traffic& rest = traffic_[round];
      rest.refused -= each.refused;
      rest.bytes_down -= each.bytes_down;
      if (rest.refused == 0 && rest.bytes_down == 0) traffic_.erase(round);
    }
  }

 private:
  [[nodiscard]] bool is_due(const Settings& settings, std::uint32_t received) const {
    if (received >= settings.quorum) return true;
    return deadline_unix_s_ != 0 && now_unix_s_ >= deadline_unix_s_ &&
           received >= settings.minimum_updates;
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const PublishedPlan> plan_ = std::make_shared<const PublishedPlan>();
  Package package_;
  Rules rules_;
  std::int64_t deadline_unix_s_ = 0;
  std::int64_t now_unix_s_ = 0;
  std::uint32_t received_ = 0;
  std::uint64_t stored_events_ = 0;
  std::map<std::uint32_t, Traffic> traffic_;
};

}  // namespace skep::coordinator
