#include "skep/seal/psa_key.h"

#include <psa/crypto.h>

#include <type_traits>

namespace skep::seal {

static_assert(std::is_same_v<psa_key_id_t, std::uint32_t> &&
                  std::is_same_v<mbedtls_svc_key_id_t, psa_key_id_t>,
              "PsaKey holds a plain key id; MBEDTLS_PSA_CRYPTO_KEY_ID_ENCODES_OWNER is for "
              "crypto services, not for their users");

void PsaKey::destroy() {
  // Fails only for a key that does not exist; PSA ignores the null id.
  static_cast<void>(psa_destroy_key(id_));
  id_ = kNone;
}

}  // namespace skep::seal
