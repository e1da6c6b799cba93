// skepd.toml: what the operator configures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "service_limits.h"
#include "skep/coordinator/coordinator.h"

namespace skep::app {

/// what() names the file, the line and the key, and says what was expected.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// All paths are absolute or relative to the working directory, no longer to the file.
struct Config {
  std::filesystem::path directory;  ///< Of the file: where keys and certificates are.
  std::string text;                 ///< The file, byte for byte.
  std::string listen = "127.0.0.1";
  std::uint16_t port = 5684;  ///< 0 = any free one.
  std::filesystem::path database;
  std::filesystem::path admin_socket;
  std::filesystem::path
      passphrase_file;                ///< Of the private keys; of this and the next at most one.
  std::string passphrase_credential;  ///< Name in $CREDENTIALS_DIRECTORY.
  std::string log_level = "info";
  std::filesystem::path log_file;  ///< Empty = standard error.
  coordinator::Settings round;
  std::uint32_t patch_depth = 8;  ///< Versions back from which a patch is made; 0 = none.
  unsigned intake_workers = 0;
  bool enrolment = false;               ///< Devices may enrol here; needs the CA's key.
  std::uint32_t certificate_days = 30;  ///< Of the certificates that they get.
  Limits limits;
};

/// Reads and checks the file: types, unknown sections and keys, and every value's range.
/// docs/reference/skepd.toml.md lists all of them.
///
/// Errors: ConfigError.
Config load_config(const std::filesystem::path& path);

}  // namespace skep::app
