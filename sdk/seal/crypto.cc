#include "skep/seal/crypto.h"

#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include "psa_status.h"

namespace skep::seal {

Status initialize_crypto() { return from_psa(psa_crypto_init()); }

void wipe(MutableBytes bytes) {
  if (!bytes.empty()) mbedtls_platform_zeroize(bytes.data(), bytes.size());
}

}  // namespace skep::seal
