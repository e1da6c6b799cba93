#include "registration_limit.h"

#include <algorithm>

namespace skep::app {

std::uint32_t RegistrationLimit::admit(const PeerAddress& address, const std::string& device,
                                       bool known, std::int64_t now_s) {
  if (limits_.registrations_per_minute == 0 && limits_.devices_per_address == 0) return 0;
  Address& at = touch(address);
  const auto found = at.seen.find(device);
  if (found != at.seen.end()) {
    found->second = now_s;
    return 0;
  }
  if (const std::uint32_t wait_s = wait_for_room(at, now_s); wait_s != 0) return wait_s;
  if (!known && limits_.registrations_per_minute != 0) {
    if (const std::uint32_t wait_s = wait_for_window(at, now_s); wait_s != 0) return wait_s;
    at.recent.push_back(now_s);
  }
  at.seen.emplace(device, now_s);
  return 0;
}

RegistrationLimit::Address& RegistrationLimit::touch(const PeerAddress& address) {
  const auto found = addresses_.find(address);
  if (found != addresses_.end()) {
    order_.splice(order_.end(), order_, found->second.position);
    return found->second;
  }
  if (addresses_.size() >= kMaxAddresses) {
    addresses_.erase(order_.front());
    order_.pop_front();
  }
  Address& added = addresses_[address];
  added.position = order_.insert(order_.end(), address);
  return added;
}

std::uint32_t RegistrationLimit::wait_for_window(Address& at, std::int64_t now_s) const {
  while (!at.recent.empty() && now_s - at.recent.front() >= kWindowS) at.recent.pop_front();
  if (at.recent.size() < limits_.registrations_per_minute) return 0;
  return static_cast<std::uint32_t>(at.recent.front() + kWindowS - now_s);
}

std::uint32_t RegistrationLimit::wait_for_room(Address& at, std::int64_t now_s) const {
  const auto lapsed = [&](const auto& seen) { return now_s - seen.second >= kRememberS; };
  const std::uint32_t limit = limits_.devices_per_address;
  if (limit == 0 || at.seen.size() < limit) return 0;
  std::erase_if(at.seen, lapsed);
  if (at.seen.size() < limit) return 0;
  std::int64_t oldest_s = now_s;
  for (const auto& [device, seen_s] : at.seen) oldest_s = std::min(oldest_s, seen_s);
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>(oldest_s + kRememberS - now_s, kMaxRetryAfterS));
}

}  // namespace skep::app
