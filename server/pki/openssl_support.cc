#include "openssl_support.h"

#include <openssl/err.h>

namespace skep::pki::openssl {

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

X509Certificate to_x509(Bytes der) {
  const unsigned char* at = der.data();
  X509Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate == nullptr || at != der.data() + der.size()) {
    throw PkiError("not a certificate (OpenSSL: " + openssl_error() + ")");
  }
  return certificate;
}

}  // namespace skep::pki::openssl
