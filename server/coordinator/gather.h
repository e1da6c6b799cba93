// The stored updates of a round, opened again and summed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "skep/intake/validate.h"
#include "skep/server_flow/flow.h"

namespace skep::coordinator {

/// A sum, and the devices that were to be in it. A revocation takes a device out of the latter; the
/// sum holds if Store::update_devices() still says the same in the transaction that uses it.
struct Gathered {
  server::Accumulated sum;
  std::vector<std::string> devices;
  std::vector<std::string> contributors;  ///< Those that are in it, ascending.
};

/// Opens and sums the updates of rules.plan.round on `workers` threads (0 = one for each core).
/// The result does not depend on how many. Updates that a revocation took out are left out; so
/// are updates that no longer open, with an error in the log: the file was damaged.
///
/// Errors: StoreError.
Gathered gather(const std::filesystem::path& database, const intake::Gateway& gateway,
                const intake::RoundRules& rules, unsigned workers);

}  // namespace skep::coordinator
