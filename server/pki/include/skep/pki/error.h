// How the pki reports what is wrong: one sentence that an operator can act on.
#pragma once

#include <stdexcept>

namespace skep::pki {

/// what() says what was wrong, with which file or name, and what was expected. Never contains
/// key material.
class PkiError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace skep::pki
