#include "skep/pki/certs_only.h"

#include <openssl/pkcs7.h>

#include "openssl_support.h"

namespace skep::pki {

std::vector<std::uint8_t> certs_only(Bytes certificate_der) {
  const openssl::X509Certificate certificate = openssl::to_x509(certificate_der);
  const openssl::Owned<PKCS7, &PKCS7_free> bag(PKCS7_new());
  const bool made = bag != nullptr && PKCS7_set_type(bag.get(), NID_pkcs7_signed) == 1 &&
                    PKCS7_content_new(bag.get(), NID_pkcs7_data) == 1 &&
                    PKCS7_set_detached(bag.get(), 1) == 1 &&
                    PKCS7_add_certificate(bag.get(), certificate.get()) == 1;
  const int length = made ? i2d_PKCS7(bag.get(), nullptr) : -1;
  if (length <= 0) {
    throw PkiError("cannot make PKCS#7 of a certificate (OpenSSL: " + openssl::openssl_error() +
                   ")");
  }
  std::vector<std::uint8_t> der(static_cast<std::size_t>(length));
  unsigned char* at = der.data();
  i2d_PKCS7(bag.get(), &at);
  return der;
}

}  // namespace skep::pki
