// Signatures over a bare digest, without a domain: for RFC 6979's vectors, which have none.
#pragma once

#include "skep/seal/signature.h"

namespace skep::seal {

Result<Signature> sign_digest(const SigningKey& key, const Sha256Digest& digest);
Status verify_digest(const VerifyingKey& key, const Sha256Digest& digest, Bytes signature);

}  // namespace skep::seal
