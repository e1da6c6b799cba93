// The admin API's requests, as functions from JSON to JSON.
#pragma once

#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "skep/admin/admin_server.h"
#include "skep/bytes.h"
#include "skep/status.h"
#include "skep/store/store.h"

namespace skep::admin {

using Json = nlohmann::ordered_json;

/// A request that cannot be served; what() is for the operator.
class RequestError : public std::runtime_error {
 public:
  RequestError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

/// Thread-safe. All functions throw RequestError for what the client did wrong, and
/// CoordinatorError or StoreError for what could not be done.
class Handlers {
 public:
  /// Errors: StoreError.
  explicit Handlers(const Gateway& gateway);

  [[nodiscard]] Json status();
  [[nodiscard]] Json round();
  [[nodiscard]] Json rounds();
  [[nodiscard]] Json stats();
  /// Body: {} or {"force": bool}. `actor` of this and the next ones is for the audit log.
  [[nodiscard]] Json aggregate(const std::string& body, const audit::Actor& actor);
  /// Body: {"to_version": number}.
  [[nodiscard]] Json rollback(const std::string& body, const audit::Actor& actor);
  /// Body: {"file": absolute path}, of a file that does not exist.
  [[nodiscard]] Json back_up(const std::string& body, const audit::Actor& actor);
  /// `force`: "", "0" or "1".
  [[nodiscard]] Json import_model(Bytes package, const std::string& force,
                                  const audit::Actor& actor);

 private:
  Gateway gateway_;
  std::mutex store_mutex_;
  store::Store store_;
};

}  // namespace skep::admin
