// How the audit log reports what it cannot do.
#pragma once

#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::audit {

/// what() is for the operator; status() is the code for others.
class AuditError : public std::runtime_error {
 public:
  AuditError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace skep::audit
