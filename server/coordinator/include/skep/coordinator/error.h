// How the coordinator reports what it cannot do.
#pragma once

#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::coordinator {

/// what() is a sentence for the operator; status() the code for the admin API.
class CoordinatorError : public std::runtime_error {
 public:
  CoordinatorError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace skep::coordinator
