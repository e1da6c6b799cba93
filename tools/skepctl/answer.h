// What a command gives back: one document, and the same for people.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "skep/status.h"

namespace skep::skepctl {

/// Keys stay in the order in which they are written.
using Json = nlohmann::ordered_json;

struct Answer {
  Json json;         ///< Printed with --format json.
  std::string text;  ///< Printed with --format text; ends with a newline.
};

/// Why a command failed. what() says what, where, and what was expected.
class CommandError : public std::runtime_error {
 public:
  CommandError(std::string code, const std::string& detail)
      : std::runtime_error(detail), code_(std::move(code)) {}
  CommandError(Status status, const std::string& detail)
      : CommandError(std::string("k") + to_string(status), detail) {}
  /// The name of a skep::Status, "kNotFound" for instance.
  [[nodiscard]] const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace skep::skepctl
