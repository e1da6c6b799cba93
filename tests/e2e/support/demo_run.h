// `./run demo` without building anything, on a federation small enough for a test.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "skep/process/process.h"

namespace skep::e2e {

/// The JSON document of skep-demo with 8 devices, 6 rounds and these further options. Throws
/// std::runtime_error with what it said if it fails.
inline nlohmann::json run_demo(const std::string& seed, const process::Command& options = {}) {
  const std::string programs = SKEP_BIN_DIR;
  process::Command command{programs + "/skep-demo",
                           "--bin-dir",
                           programs,
                           "--data",
                           SKEP_DATA_DIR,
                           "--format",
                           "json",
                           "--devices",
                           "8",
                           "--rounds",
                           "6",
                           "--seed",
                           seed};
  command.insert(command.end(), options.begin(), options.end());
  return process::run_json(command);
}

}  // namespace skep::e2e
