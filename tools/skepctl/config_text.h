// The skepd.toml that `skepctl init` writes.
#pragma once

#include <string>

#include "commands.h"

namespace skep::skepctl {

/// Complete, with a comment for every key. `holdout` is used as it is.
std::string config_text(const InitOptions& options, const std::string& holdout);

}  // namespace skep::skepctl
