#include "skep/transport_testing/certificates.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace skep::transport_testing {
namespace {

constexpr std::size_t kScalarBytes = 32;
constexpr std::size_t kMaxDerBytes = 1024;

// Mbed TLS's functions are negative for errors.
int require(int result) {
  if (result >= 0) return result;
  std::fprintf(stderr, "cannot make a certificate: Mbed TLS error -0x%04x\n",
               static_cast<unsigned>(-result));
  std::abort();
}

int fill_random(void* /*context*/, unsigned char* out, std::size_t size) {
  return psa_generate_random(out, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_PK_BAD_INPUT_DATA;
}

struct Key {
  Key() { mbedtls_pk_init(&context); }
  ~Key() { mbedtls_pk_free(&context); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;

  void generate() {
    require(mbedtls_pk_setup(&context, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
    require(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(context), fill_random,
                                nullptr));
  }
  void parse(const Buffer& der) {
    require(
        mbedtls_pk_parse_key(&context, der.data(), der.size(), nullptr, 0, fill_random, nullptr));
  }

  mbedtls_pk_context context;
};

// Mbed TLS writes DER to the end of a buffer.
template <typename Write>
Buffer written(Write write) {
  std::array<std::uint8_t, kMaxDerBytes> bytes{};
  const int length = require(write(bytes.data(), bytes.size()));
  return {bytes.end() - length, bytes.end()};
}

void set_usage(mbedtls_x509write_cert& certificate, Usage usage) {
  const bool is_authority = usage == Usage::kAuthority;
  require(mbedtls_x509write_crt_set_basic_constraints(&certificate, is_authority ? 1 : 0,
                                                      is_authority ? 0 : -1));
  require(mbedtls_x509write_crt_set_key_usage(
      &certificate,
      is_authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN : MBEDTLS_X509_KU_DIGITAL_SIGNATURE));
  if (is_authority) return;
  const char server_oid[] = MBEDTLS_OID_SERVER_AUTH;
  const char client_oid[] = MBEDTLS_OID_CLIENT_AUTH;
  const char* const oid = usage == Usage::kServer ? server_oid : client_oid;
  mbedtls_asn1_sequence purpose{};
  purpose.buf.tag = MBEDTLS_ASN1_OID;
  purpose.buf.len = sizeof(server_oid) - 1;  // both have the same length
  purpose.buf.p = reinterpret_cast<unsigned char*>(const_cast<char*>(oid));
  require(mbedtls_x509write_crt_set_ext_key_usage(&certificate, &purpose));
}

Buffer make_certificate(const std::string& subject, const std::string& issuer, Usage usage,
                        Key& subject_key, Key& issuer_key) {
  mbedtls_x509write_cert certificate;
  mbedtls_x509write_crt_init(&certificate);
  mbedtls_x509write_crt_set_version(&certificate, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&certificate, &subject_key.context);
  mbedtls_x509write_crt_set_issuer_key(&certificate, &issuer_key.context);
  require(mbedtls_x509write_crt_set_subject_name(&certificate, ("CN=" + subject).c_str()));
  require(mbedtls_x509write_crt_set_issuer_name(&certificate, ("CN=" + issuer).c_str()));
  require(mbedtls_x509write_crt_set_validity(&certificate, "20200101000000", "20991231235959"));
  std::uint8_t serial = 1;
  require(mbedtls_x509write_crt_set_serial_raw(&certificate, &serial, 1));
  set_usage(certificate, usage);
  Buffer der = written([&](std::uint8_t* out, std::size_t size) {
    return mbedtls_x509write_crt_der(&certificate, out, size, fill_random, nullptr);
  });
  mbedtls_x509write_crt_free(&certificate);
  return der;
}

}  // namespace

Credential make_credential(const std::string& name, Usage usage, const Credential* issuer) {
  require(psa_crypto_init());
  Key key;
  key.generate();
  Credential credential;
  credential.private_key_der = written([&](std::uint8_t* out, std::size_t size) {
    return mbedtls_pk_write_key_der(&key.context, out, size);
  });
  credential.private_scalar.resize(kScalarBytes);
  std::size_t scalar_bytes = 0;
  require(mbedtls_ecp_write_key_ext(mbedtls_pk_ec(key.context), &scalar_bytes,
                                    credential.private_scalar.data(), kScalarBytes));
  if (issuer == nullptr) {
    credential.certificate = make_certificate(name, name, usage, key, key);
  } else {
    Key issuer_key;
    issuer_key.parse(issuer->private_key_der);
    credential.certificate = make_certificate(name, "authority", usage, key, issuer_key);
  }
  return credential;
}

}  // namespace skep::transport_testing
