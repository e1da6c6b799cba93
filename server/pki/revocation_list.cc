#include "skep/pki/revocation_list.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>

#include "openssl_support.h"

namespace skep::pki {
namespace {

using openssl::openssl_error;
using openssl::Owned;
using Key = Owned<EVP_PKEY, &EVP_PKEY_free>;
using Integer = Owned<ASN1_INTEGER, &ASN1_INTEGER_free>;
using Time = Owned<ASN1_TIME, &ASN1_TIME_free>;
using Number = Owned<BIGNUM, &BN_clear_free>;
void require(bool ok, const char* what) {
  if (!ok) {
    throw PkiError(std::string("cannot make a revocation list: ") + what +
                   " (OpenSSL: " + openssl_error() + ")");
  }
}

template <typename T>
T require(T object, const char* what) {
  require(object != nullptr, what);
  return object;
}

Key to_openssl(const PrivateKey& key) {
  const Number scalar(
      BN_bin2bn(key.scalar().data(), static_cast<int>(key.scalar().size()), BN_secure_new()));
  require(scalar != nullptr, "key");
  const Owned<OSSL_PARAM_BLD, &OSSL_PARAM_BLD_free> builder(
      require(OSSL_PARAM_BLD_new(), "parameters"));
  const PublicKey& point = key.public_key();
  require(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                          0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                               point.size()) == 1 &&
              OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get()) == 1,
          "key parameters");
  const Owned<OSSL_PARAM, &OSSL_PARAM_free> parameters(
      require(OSSL_PARAM_BLD_to_param(builder.get()), "key parameters"));
  const Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free> context(
      require(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), "key context"));
  EVP_PKEY* made = nullptr;
  require(EVP_PKEY_fromdata_init(context.get()) == 1 &&
              EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) == 1,
          "key");
  return Key(made);
}

Time to_openssl_time(std::int64_t unix_s) {
  return Time(require(ASN1_TIME_set(nullptr, unix_s), "time"));
}

void add_entry(X509_CRL* crl, const RevokedCertificate& certificate) {
  Owned<X509_REVOKED, &X509_REVOKED_free> entry(require(X509_REVOKED_new(), "entry"));
  const Number number(require(
      BN_bin2bn(certificate.serial.data(), static_cast<int>(certificate.serial.size()), nullptr),
      "serial number"));
  const Integer serial(require(BN_to_ASN1_INTEGER(number.get(), nullptr), "serial number"));
  const Time time = to_openssl_time(certificate.revoked_unix_s);
  require(X509_REVOKED_set_serialNumber(entry.get(), serial.get()) == 1 &&
              X509_REVOKED_set_revocationDate(entry.get(), time.get()) == 1,
          "entry");
  if (certificate.reason != 0) {
    const Owned<ASN1_ENUMERATED, &ASN1_ENUMERATED_free> reason(
        require(ASN1_ENUMERATED_new(), "reason"));
    require(ASN1_ENUMERATED_set(reason.get(), certificate.reason) == 1 &&
                X509_REVOKED_add1_ext_i2d(entry.get(), NID_crl_reason, reason.get(), 0, 0) == 1,
            "reason");
  }
  require(X509_CRL_add0_revoked(crl, entry.get()) == 1, "entry");
  (void)entry.release();  // The list owns it.
}

void add_extensions(X509_CRL* crl, X509* ca, std::uint64_t number) {
  const Integer crl_number(require(ASN1_INTEGER_new(), "CRL number"));
  require(ASN1_INTEGER_set_uint64(crl_number.get(), number) == 1 &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, crl_number.get(), 0, 0) == 1,
          "CRL number");
  X509V3_CTX context;
  X509V3_set_ctx(&context, ca, nullptr, nullptr, crl, 0);
  const Owned<X509_EXTENSION, &X509_EXTENSION_free> key_id(
      require(X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"),
              "authority key identifier"));
  require(X509_CRL_add_ext(crl, key_id.get(), -1) == 1, "authority key identifier");
}

std::vector<std::uint8_t> to_der(X509_CRL* crl) {
  const int length = i2d_X509_CRL(crl, nullptr);
  require(length > 0, "encoding");
  std::vector<std::uint8_t> der(static_cast<std::size_t>(length));
  unsigned char* at = der.data();
  require(i2d_X509_CRL(crl, &at) == length, "encoding");
  return der;
}

}  // namespace

std::vector<std::uint8_t> issue_revocation_list(const Certificate& ca, const PrivateKey& ca_key,
                                                const RevocationList& list) {
  if (ca_key.public_key() != ca.public_key) {
    throw PkiError("the CA's key is not the one in its certificate");
  }
  if (list.next_update_unix_s <= list.this_update_unix_s) {
    throw PkiError("a revocation list's next update is after it was made");
  }
  const openssl::X509Certificate issuer = openssl::to_x509(ca.der);
  const Key key = to_openssl(ca_key);
  const Owned<X509_CRL, &X509_CRL_free> crl(require(X509_CRL_new(), "list"));
  const Time this_update = to_openssl_time(list.this_update_unix_s);
  const Time next_update = to_openssl_time(list.next_update_unix_s);
  require(X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.get())) == 1 &&
              X509_CRL_set1_lastUpdate(crl.get(), this_update.get()) == 1 &&
              X509_CRL_set1_nextUpdate(crl.get(), next_update.get()) == 1,
          "header");
  for (const RevokedCertificate& each : list.certificates) add_entry(crl.get(), each);
  add_extensions(crl.get(), issuer.get(), list.number);
  require(X509_CRL_sort(crl.get()) == 1, "sorting");
  require(X509_CRL_sign(crl.get(), key.get(), EVP_sha256()) > 0, "signature");
  return to_der(crl.get());
}

}  // namespace skep::pki
