// The tools' way to say that something has to be so: an exception with what was tried and why not.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "skep/status.h"

namespace skep::checked {

/// Throws std::runtime_error "<what>: <status>" unless all is well.
inline void require(Status status, const char* what) {
  if (status != Status::kOk) throw std::runtime_error(std::string(what) + ": " + to_string(status));
}

/// The value. Throws as require() if there is none.
template <typename T>
T take(Result<T> result, const char* what) {
  require(result.status(), what);
  return *std::move(result);
}

}  // namespace skep::checked
