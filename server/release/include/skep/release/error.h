// How the release stage reports what is wrong.
#pragma once

#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::release {

/// what() says what was wrong and what was expected; status() is the code for the wire, the admin
/// API and the exit status.
class ReleaseError : public std::runtime_error {
 public:
  ReleaseError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

/// A package, or an exported file, that is not what a federation signed.
class PackageError : public ReleaseError {
 public:
  using ReleaseError::ReleaseError;
};

}  // namespace skep::release
