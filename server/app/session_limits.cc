#include "session_limits.h"

namespace skep::app {

const char* SessionLimits::objection(const PeerAddress& address) const {
  if (handshakes_ >= limits_.handshakes) return "too many handshakes are under way";
  if (sessions_.size() >= limits_.sessions) return "there are too many sessions";
  const auto found = addresses_.find(address);
  if (found == addresses_.end()) return nullptr;
  if (found->second.handshakes >= limits_.handshakes_per_address) {
    return "too many handshakes of this address are under way, or have failed";
  }
  if (found->second.sessions >= limits_.sessions_per_address) {
    return "this address has too many sessions";
  }
  return nullptr;
}

void SessionLimits::begin(const coap_session_t* session, const PeerAddress& address,
                          std::int64_t now_s) {
  end(session, now_s);
  sessions_[session] = {.address = address, .began_s = now_s, .established = false};
  Count& count = addresses_[address];
  ++count.sessions;
  ++count.handshakes;
  ++handshakes_;
}

void SessionLimits::establish(const coap_session_t* session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || found->second.established) return;
  found->second.established = true;
  --handshakes_;
  release(found->second.address, /*session=*/false, /*handshake=*/true);
}

void SessionLimits::end(const coap_session_t* session, std::int64_t now_s) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const Entry entry = found->second;
  sessions_.erase(found);
  release(entry.address, /*session=*/true, /*handshake=*/false);
  if (entry.established) return;
  --handshakes_;
  failed_.push_back({.address = entry.address, .ended_s = now_s});
  if (failed_.size() > kMaxFailed) {
    release(failed_.front().address, /*session=*/false, /*handshake=*/true);
    failed_.pop_front();
  }
}

void SessionLimits::forgive(std::int64_t now_s) {
  while (!failed_.empty() && now_s - failed_.front().ended_s >= limits_.handshake_timeout_s) {
    release(failed_.front().address, /*session=*/false, /*handshake=*/true);
    failed_.pop_front();
  }
}

void SessionLimits::release(const PeerAddress& address, bool session, bool handshake) {
  const auto found = addresses_.find(address);
  Count& count = found->second;
  if (session) --count.sessions;
  if (handshake) --count.handshakes;
  if (count.sessions == 0 && count.handshakes == 0) addresses_.erase(found);
}

std::vector<const coap_session_t*> SessionLimits::overdue(std::int64_t now_s) const {
  std::vector<const coap_session_t*> list;
  if (handshakes_ == 0) return list;
  for (const auto& [session, entry] : sessions_) {
    if (!entry.established && now_s - entry.began_s >= limits_.handshake_timeout_s) {
      list.push_back(session);
    }
  }
  return list;
}

}  // namespace skep::app
