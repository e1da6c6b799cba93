// What one device's round costs on the wire, counted.
#pragma once

#include <string>

#include "gateway_run.h"

namespace skep::bench {

/// Plays one device through a counting relay: handshake, plan, model, update. Returns tables, or
/// one JSON document. Throws std::exception.
std::string measure_one_device(const RunOptions& options, bool as_json);

}  // namespace skep::bench
