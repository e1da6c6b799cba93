#include "skep/pki/certificate_request.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <cstring>

#include "openssl_support.h"
#include "skep/wire/codec.h"

namespace skep::pki {
namespace {

using Request = openssl::Owned<X509_REQ, &X509_REQ_free>;

void require(bool ok, const std::string& what) {
  const std::string reason = ok ? "" : openssl::openssl_error();
  if (!ok) throw PkiError("certificate request: " + what + " (OpenSSL: " + reason + ")");
}

Request decode(Bytes der) {
  require(der.size() <= kMaxCertificateRequestBytes,
          std::to_string(der.size()) + " bytes, expected at most " +
              std::to_string(kMaxCertificateRequestBytes));
  const unsigned char* at = der.data();
  Request request(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  require(request != nullptr, "not PKCS#10 in DER");
  require(at == der.data() + der.size(), "bytes follow it");
  require(X509_REQ_get_version(request.get()) == X509_REQ_VERSION_1, "expected version 1");
  return request;
}

std::string common_name_of(const X509_REQ* request) {
  X509_NAME* subject = X509_REQ_get_subject_name(request);
  const X509_NAME_ENTRY* entry =
      X509_NAME_entry_count(subject) == 1 ? X509_NAME_get_entry(subject, 0) : nullptr;
  require(entry != nullptr && OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName,
          "expected a subject of one common name and nothing else");
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
  const int type = ASN1_STRING_type(value);
  require(type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING,
          "expected the common name as UTF8String or PrintableString");
  std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                   static_cast<std::size_t>(ASN1_STRING_length(value)));
  require(wire::is_valid_name(name.data(), name.size()),
          "the common name is no device name, expected 1 to 32 of [a-z0-9-]");
  return name;
}

bool has_text(const EVP_PKEY* key, const char* parameter, const char* expected) {
  std::array<char, 32> text{};
  return EVP_PKEY_get_utf8_string_param(key, parameter, text.data(), text.size(), nullptr) == 1 &&
         std::strcmp(text.data(), expected) == 0;
}

PublicKey point_of(EVP_PKEY* key) {
  require(key != nullptr && EVP_PKEY_is_a(key, "EC") == 1 &&
              has_text(key, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1") &&
              has_text(key, OSSL_PKEY_PARAM_EC_ENCODING, "named_curve"),
          "expected a key on P-256, named");
  PublicKey point{};
  std::size_t length = 0;
  require(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                         "uncompressed") == 1 &&
              EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                              point.size(), &length) == 1 &&
              length == point.size(),
          "the key has no point");
  return point;
}

}  // namespace

CertificateRequest parse_certificate_request(Bytes der) {
  const Request request = decode(der);
  CertificateRequest result;
  result.common_name = common_name_of(request.get());
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  result.public_key = point_of(key);
  require(X509_REQ_get_attr_by_NID(request.get(), NID_pkcs9_challengePassword, -1) < 0,
          "a challengePassword cannot be checked here, expected none");
  require(X509_REQ_get_signature_nid(request.get()) == NID_ecdsa_with_SHA256,
          "expected a signature by ECDSA with SHA-256");
  require(X509_REQ_verify(request.get(), key) == 1,
          "the signature does not prove possession of the key");
  return result;
}

}  // namespace skep::pki
