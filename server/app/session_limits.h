// How many handshakes and sessions there may be, of an address and in all.
#pragma once

#include <coap3/coap.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "peer_address.h"
#include "service_limits.h"

namespace skep::app {

/// Counts sessions from their first verified ClientHello to their end. A handshake that failed
/// counts for its address for another Limits::handshake_timeout_s: otherwise one host could have
/// the gateway begin handshakes as fast as it can break them off. Not thread-safe.
///
/// Memory: a few dozen bytes for each session there is and each of the last kMaxFailed handshakes
/// that failed.
class SessionLimits {
 public:
  static constexpr std::size_t kMaxFailed = 16'384;

  explicit SessionLimits(const Limits& limits) : limits_(limits) {}

  /// Null if a handshake from there may begin, else what stands in its way.
  [[nodiscard]] const char* objection(const PeerAddress& address) const;

  void begin(const coap_session_t* session, const PeerAddress& address, std::int64_t now_s);
  /// Its handshake is complete.
  void establish(const coap_session_t* session);
  /// Of a session that is not known: nothing.
  void end(const coap_session_t* session, std::int64_t now_s);
  /// Forgives what has failed long enough ago. Call about once a second.
  void forgive(std::int64_t now_s);

  /// Sessions whose handshakes have taken longer than they may.
  [[nodiscard]] std::vector<const coap_session_t*> overdue(std::int64_t now_s) const;

  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
  [[nodiscard]] std::size_t handshakes() const { return handshakes_; }

 private:
  struct Entry {
    PeerAddress address{};
    std::int64_t began_s = 0;
    bool established = false;
  };
  struct Count {
    std::uint32_t sessions = 0;
    std::uint32_t handshakes = 0;  ///< Under way, or failed and not forgiven.
  };
  struct Failed {
    PeerAddress address{};
    std::int64_t ended_s = 0;
  };

  void release(const PeerAddress& address, bool session, bool handshake);

  Limits limits_;
  std::map<const coap_session_t*, Entry> sessions_;
  std::map<PeerAddress, Count> addresses_;  ///< Those that count for something.
  std::deque<Failed> failed_;
  std::size_t handshakes_ = 0;
};

}  // namespace skep::app
