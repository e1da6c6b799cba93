// Import, generation and export of elliptic curve keys: what signatures and KEMs share.
#pragma once

#include <psa/crypto.h>

#include <cstddef>

#include "skep/bytes.h"
#include "skep/seal/psa_key.h"
#include "skep/status.h"

namespace skep::seal {

/// What a key is of, and what it may be used for.
struct EccKeyPolicy {
  psa_ecc_family_t family;
  std::size_t bits;
  psa_key_usage_t usage;
  psa_algorithm_t algorithm;
};

/// Errors: kInvalidArgument if `raw` is not a key of that curve; as from_psa().
Result<PsaKey> import_private_key(const EccKeyPolicy& policy, Bytes raw);

/// As above, for a public key.
Result<PsaKey> import_public_key(const EccKeyPolicy& policy, Bytes raw);

/// The key may be exported. Errors: as from_psa().
Result<PsaKey> generate_private_key(const EccKeyPolicy& policy);

/// Fills `out`, whose length must be the public key's. Errors: as from_psa().
Status export_public(const PsaKey& key, MutableBytes out);

/// Fills `out`, whose length must be the private key's. Errors: kInvalidArgument (length);
/// kUnsupported if the key may not be exported; as from_psa(). On error `out` is zeros.
Status export_private(const PsaKey& key, std::size_t key_bytes, MutableBytes out);

}  // namespace skep::seal
