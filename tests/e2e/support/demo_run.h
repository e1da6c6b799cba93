// `./run demo` without building anything, on a federation small enough for a test.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "skep/process/process.h"

namespace skep::e2e {

struct DemoSize {
  unsigned devices = 8;
  unsigned rounds = 6;
};

/// The JSON document of skep-demo with these further options. Throws std::runtime_error with what
/// it said if it fails.
inline nlohmann::json run_demo(const std::string& seed, const process::Command& options = {},
                               const DemoSize& size = {}) {
  const std::string programs = SKEP_BIN_DIR;
  process::Command command{programs + "/skep-demo",
                           "--bin-dir",
                           programs,
                           "--data",
                           SKEP_DATA_DIR,
                           "--format",
                           "json",
                           "--devices",
                           std::to_string(size.devices),
                           "--rounds",
                           std::to_string(size.rounds),
                           "--seed",
                           seed};
  command.insert(command.end(), options.begin(), options.end());
  return process::run_json(command);
}

}  // namespace skep::e2e
