// Why somebody is not enrolled.
#pragma once

#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::enrolment {

/// what() is a sentence that the device may be told. Nothing has changed.
class EnrolmentError : public std::runtime_error {
 public:
  EnrolmentError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace skep::enrolment
