// What the pki's files share to call Mbed TLS: errors as exceptions, structures that free
// themselves.
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include <cstdint>
#include <string>

#include "skep/bytes.h"
#include "skep/pki/error.h"
#include "skep/pki/keys.h"

namespace skep::pki {

/// Starts PSA Crypto; cheap when it runs already. Every function that uses Mbed TLS calls it.
/// Errors: PkiError (no entropy).
void start_crypto();

/// Errors: PkiError (no entropy).
void random_bytes(MutableBytes out);

/// PSA's generator in the shape that Mbed TLS's functions take. (Its own mbedtls_psa_get_random()
/// is declared without C linkage in 3.6.7.)
int random_source(void* unused, unsigned char* out, std::size_t size_bytes);

/// Throws PkiError with `what` and Mbed TLS's words for `code`, unless it is 0 or positive.
void check(int code, const std::string& what);

/// Owns one of Mbed TLS's structures.
template <typename T, void (*Init)(T*), void (*Free)(T*)>
class Owned {
 public:
  Owned() { Init(&value_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { Free(&value_); }
  T* get() { return &value_; }
  const T* get() const { return &value_; }
  T* operator->() { return &value_; }

 private:
  T value_;
};

using PkContext = Owned<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using ParsedCertificate = Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using CertificateWriter =
    Owned<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

/// Fills an initialised `out` with the key. Errors: PkiError if it is not on the curve.
void to_pk(const PrivateKey& key, mbedtls_pk_context* out);
void to_pk(const PublicKey& key, mbedtls_pk_context* out);

/// Errors: PkiError, beginning with `what`, if it is not a P-256 key.
PublicKey public_key_of(const mbedtls_pk_context& key, const std::string& what);

}  // namespace skep::pki
