// The operator's side of the gateway: HTTP and JSON on a Unix domain socket.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "skep/coordinator/coordinator.h"
#include "skep/intake/intake.h"

namespace skep::admin {

/// what() names the socket and says what is wrong with it.
class AdminError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the limits of skepd.toml have held back since skepd started; `handshakes` are those under
/// way now.
struct LimitStatus {
  std::uint64_t handshakes = 0;
  std::uint64_t cookies = 0;  ///< HelloVerifyRequests sent.
  std::uint64_t handshakes_refused = 0;
  std::uint64_t handshakes_timed_out = 0;
  std::uint64_t registrations_refused = 0;
  std::uint64_t requests_refused = 0;
};

/// What the devices' side tells.
struct EndpointStatus {
  std::string uri;  ///< "coaps://127.0.0.1:5684"
  std::uint16_t port = 0;
  std::uint64_t sessions = 0;
  std::uint64_t bytes_down = 0;
  std::uint64_t packages = 0;  ///< Models sent as a whole; all since skepd started.
  std::uint64_t package_bytes = 0;
  std::uint64_t patches = 0;
  std::uint64_t patch_bytes = 0;
  LimitStatus limits{};
};

/// All outlive the AdminServer. endpoint() may be called from any thread.
struct Gateway {
  std::filesystem::path database;
  coordinator::Coordinator& coordinator;
  intake::Intake& intake;
  std::function<EndpointStatus()> endpoint;
};

/// Serves docs/reference/admin-api.md on threads of its own. Whoever may open the socket, which
/// has mode 0600, may do everything: there is no further authentication.
class AdminServer {
 public:
  /// Errors: AdminError if the path is too long for a socket, another skepd answers on it, or it
  /// cannot be listened on; StoreError.
  AdminServer(const std::filesystem::path& socket, const Gateway& gateway);

  /// Finishes the requests under way and removes the socket.
  ~AdminServer();

  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace skep::admin
