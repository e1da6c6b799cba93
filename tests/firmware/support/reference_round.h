// A local round on the board with the task of round_testing/reference_update.h.
#pragma once

#include "skep/seal/sha256.h"
#include "skep/seal/signature.h"
#include "skep/status.h"

namespace skep::firmware_test {

/// SHA-256 of the reference update, compressed and not sealed. `key` signs nothing here, but a
/// RoundTask names one.
Result<seal::Sha256Digest> reference_update_digest(const seal::SigningKey& key);

}  // namespace skep::firmware_test
