// What ports/host/mbedtls_config.h promises and no compiler would notice.
#include <gtest/gtest.h>
#include <mbedtls/ecp.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace {

TEST(MbedtlsConfig, OffersExactlyTheSuitesOfTheWireContract) {
  std::vector<std::string> names;
  for (const int* id = mbedtls_ssl_list_ciphersuites(); *id != 0; ++id) {
    names.emplace_back(mbedtls_ssl_get_ciphersuite_name(*id));
  }
  const std::vector<std::string> expected = {
      "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8", "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
      "TLS-PSK-WITH-AES-128-CCM-8", "TLS-PSK-WITH-AES-128-GCM-SHA256"};
  EXPECT_EQ(names, expected);
}

TEST(MbedtlsConfig, KnowsTwoCurves) {
  std::vector<mbedtls_ecp_group_id> groups;
  for (const mbedtls_ecp_group_id* id = mbedtls_ecp_grp_id_list(); *id != MBEDTLS_ECP_DP_NONE;
       ++id) {
    groups.push_back(*id);
  }
  const std::vector<mbedtls_ecp_group_id> expected = {MBEDTLS_ECP_DP_SECP256R1,
                                                      MBEDTLS_ECP_DP_CURVE25519};
  EXPECT_EQ(groups, expected);
}

// A gateway with 1,000 live sessions holds 2,000 session keys beside its own.
TEST(MbedtlsConfig, KeyStoreGrowsWithTheSessions) {
  ASSERT_EQ(psa_crypto_init(), PSA_SUCCESS);
  constexpr std::array<std::uint8_t, 16> kBytes{};
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT);
  std::vector<psa_key_id_t> keys(4000);
  for (psa_key_id_t& key : keys) {
    ASSERT_EQ(psa_import_key(&attributes, kBytes.data(), kBytes.size(), &key), PSA_SUCCESS);
  }
  for (const psa_key_id_t key : keys) {
    ASSERT_EQ(psa_destroy_key(key), PSA_SUCCESS);
  }
}

TEST(MbedtlsConfig, LeavesRenegotiationOutAndLocksIn) {
#ifdef MBEDTLS_SSL_RENEGOTIATION
  FAIL() << "renegotiation is compiled in";
#endif
#ifndef MBEDTLS_THREADING_PTHREAD
  FAIL() << "worker threads share the key store";
#endif
}

}  // namespace
