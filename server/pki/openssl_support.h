// What the pki's files share to call OpenSSL: objects that free themselves, errors as text.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <string>

#include "skep/bytes.h"
#include "skep/pki/error.h"

namespace skep::pki::openssl {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

template <typename T, auto kFree>
using Owned = std::unique_ptr<T, Free<kFree>>;

using X509Certificate = Owned<X509, &X509_free>;

/// The reason of the oldest error, and forgets all of them.
std::string openssl_error();

/// Errors: PkiError if `der` is not exactly one certificate.
X509Certificate to_x509(Bytes der);

}  // namespace skep::pki::openssl
