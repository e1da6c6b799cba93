// Private keys as encrypted PKCS#8 (RFC 5958; RFC 8018: PBES2, PBKDF2 with HMAC-SHA-256,
// AES-256-CBC), which OpenSSL reads as well.
#pragma once

#include <filesystem>

#include "skep/bytes.h"
#include "skep/pki/passphrase.h"
#include "skep/pki/secret_bytes.h"

namespace skep::pki {

/// Whether it is the PEM of an encrypted key.
[[nodiscard]] bool is_encrypted(Bytes pem);

/// The PEM of a key, encrypted. Errors: PkiError.
[[nodiscard]] SecretBytes encrypt_key(Bytes pem, const Passphrase& passphrase);

/// The PEM of encrypt_key()'s key, plain (PKCS#8). `origin` is for the message.
/// Errors: PkiError if the passphrase is another one, or the file was altered.
[[nodiscard]] SecretBytes decrypt_key(Bytes pem, const Passphrase& passphrase,
                                      const std::filesystem::path& origin);

}  // namespace skep::pki
