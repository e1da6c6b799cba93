// How the store reports what went wrong.
#pragma once

#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::store {

/// what() names the file or the SQL, and SQLite's own words; status() is the code for others:
/// kStorageFailed unless the function that throws documents another.
class StoreError : public std::runtime_error {
 public:
  StoreError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace skep::store
