// How this room reports what is wrong with a model that somebody brings.
#pragma once

#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::exchange {

/// what() says what was wrong, where, and what was expected, in printable ASCII (names from a
/// file are cut and cleaned); status() is the code for machines.
class ExchangeError : public std::runtime_error {
 public:
  ExchangeError(Status status, const std::string& detail)
      : std::runtime_error(detail), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace skep::exchange
