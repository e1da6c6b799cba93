#include "mbedtls_support.h"

#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <psa/crypto.h>

namespace skep::pki {

void start_crypto() {
  const psa_status_t status = psa_crypto_init();
  if (status != PSA_SUCCESS) {
    throw PkiError("cryptography is not available: PSA error " + std::to_string(status));
  }
}

void random_bytes(MutableBytes out) {
  start_crypto();
  if (psa_generate_random(out.data(), out.size()) != PSA_SUCCESS) {
    throw PkiError("the system has no entropy: no key is made");
  }
}

int random_source(void* /*unused*/, unsigned char* out, std::size_t size_bytes) {
  return psa_generate_random(out, size_bytes) == PSA_SUCCESS ? 0
                                                             : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

void check(int code, const std::string& what) {
  if (code >= 0) return;
  char text[128];
  mbedtls_strerror(code, text, sizeof text);
  throw PkiError(what + ": " + text);
}

void to_pk(const PrivateKey& key, mbedtls_pk_context* out) {
  start_crypto();
  check(mbedtls_pk_setup(out, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "cannot hold a key");
  mbedtls_ecp_keypair* pair = mbedtls_pk_ec(*out);
  check(mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, pair, key.scalar().data(), kScalarBytes),
        "not a P-256 private key");
  check(mbedtls_ecp_keypair_calc_public(pair, random_source, nullptr), "not a P-256 private key");
}

void to_pk(const PublicKey& key, mbedtls_pk_context* out) {
  start_crypto();
  check(mbedtls_pk_setup(out, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "cannot hold a key");
  mbedtls_ecp_keypair* pair = mbedtls_pk_ec(*out);
  Owned<mbedtls_ecp_group, mbedtls_ecp_group_init, mbedtls_ecp_group_free> group;
  Owned<mbedtls_ecp_point, mbedtls_ecp_point_init, mbedtls_ecp_point_free> point;
  check(mbedtls_ecp_group_load(group.get(), MBEDTLS_ECP_DP_SECP256R1), "cannot load P-256");
  check(mbedtls_ecp_point_read_binary(group.get(), point.get(), key.data(), key.size()),
        "not a P-256 public key");
  check(mbedtls_ecp_check_pubkey(group.get(), point.get()), "not a P-256 public key");
  check(mbedtls_ecp_set_public_key(MBEDTLS_ECP_DP_SECP256R1, pair, point.get()),
        "not a P-256 public key");
}

PublicKey public_key_of(const mbedtls_pk_context& key, const std::string& what) {
  if (mbedtls_pk_can_do(&key, MBEDTLS_PK_ECDSA) != 1 ||
      mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(key)) != MBEDTLS_ECP_DP_SECP256R1) {
    throw PkiError(what + ": expected a P-256 key");
  }
  PublicKey point{};
  std::size_t length = 0;
  check(mbedtls_ecp_write_public_key(mbedtls_pk_ec(key), MBEDTLS_ECP_PF_UNCOMPRESSED, &length,
                                     point.data(), point.size()),
        what);
  if (length != point.size()) throw PkiError(what + ": expected an uncompressed P-256 point");
  return point;
}

}  // namespace skep::pki
