// The stored updates of a round, opened again and summed.
#pragma once

#include <cstdint>
#include <filesystem>

#include "skep/intake/validate.h"
#include "skep/server_flow/flow.h"

namespace skep::coordinator {

/// Opens and sums the updates of rules.plan.round on `workers` threads (0 = one for each core).
/// The result does not depend on how many. Updates of devices revoked meanwhile are left out; so
/// are updates that no longer open, with an error in the log: the file was damaged.
///
/// Errors: StoreError.
server::Accumulated gather(const std::filesystem::path& database, const intake::Gateway& gateway,
                           const intake::RoundRules& rules, unsigned workers);

}  // namespace skep::coordinator
