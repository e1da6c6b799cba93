// The daemon's log: one JSON object a line, and who was turned away.
#pragma once

#include <filesystem>
#include <string>

#include "skep/status.h"

namespace skep::app {

/// Makes spdlog's default logger write {"time","level","message"} to `file`, or to standard error
/// if it is empty; libcoap and Mbed TLS report to it at debug. Once, before any thread starts.
///
/// Errors: spdlog::spdlog_ex if the file cannot be opened.
void start_logging(const std::string& level, const std::filesystem::path& file);

/// Someone who is not what he claims to be, or no longer welcome.
struct AuditEntry {
  const char* what;    ///< "update", "session", "handshake" or "enrolment".
  std::string device;  ///< Name in the certificate, or "token ID"; empty if unknown.
  std::string remote;  ///< "address:port".
  Status status;
  std::string detail;
};

/// Logs at warn, with "audit":true and a member for each field.
void audit(const AuditEntry& entry);

/// True for the refusals that an operator must know of.
[[nodiscard]] bool is_audited(Status status);

}  // namespace skep::app
