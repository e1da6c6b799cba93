// An HTTP server on a Unix socket that knows which user is at the other end.
#pragma once

#include <httplib.h>

#include <cstdint>

namespace skep::admin {

/// Each connection serves one request. The requests' header kPeerUidHeader is the user id that the
/// kernel tells (SO_PEERCRED); what a client sends under that name is removed.
class PeerServer final : public httplib::Server {
 public:
  /// Waits this long for a client to send or to take.
  explicit PeerServer(time_t timeout_s) : timeout_s_(timeout_s) {}

  /// Errors: std::runtime_error if the kernel did not tell, which it does for every Unix socket.
  [[nodiscard]] static std::uint32_t peer_uid(const httplib::Request& request);

 private:
  bool process_and_close_socket(socket_t socket) override;

  time_t timeout_s_;
};

}  // namespace skep::admin
