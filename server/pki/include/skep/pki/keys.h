// P-256 keys and their PEM files.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>

#include "skep/bytes.h"
#include "skep/pki/error.h"
#include "skep/pki/passphrase.h"
#include "skep/pki/secret_bytes.h"

namespace skep::pki {

inline constexpr std::size_t kScalarBytes = 32;
inline constexpr std::size_t kPointBytes = 65;

/// A point on P-256, uncompressed: 04 ‖ x ‖ y (SEC 1, section 2.3.3).
using PublicKey = std::array<std::uint8_t, kPointBytes>;

/// A P-256 private key; the memory is wiped on destruction. Movable (the source is wiped), not
/// copyable.
class PrivateKey {
 public:
  /// A new key from the generator of PSA Crypto.
  /// Errors: PkiError if there is no entropy.
  static PrivateKey generate();

  /// Errors: PkiError if `scalar` (big endian) is not in 1 … n − 1.
  static PrivateKey from_scalar(std::span<const std::uint8_t, kScalarBytes> scalar);

  /// Reads a PEM file (SEC 1 "EC PRIVATE KEY", PKCS#8 "PRIVATE KEY" or "ENCRYPTED PRIVATE KEY").
  /// Errors: PkiError as load_private_pem(), or if it holds no P-256 private key.
  static PrivateKey load(const std::filesystem::path& path, const Passphrase* passphrase = nullptr);

  /// Creates a PEM file of mode 0600 (SEC 1, which OpenSSL reads as well). Errors: create_file().
  void save(const std::filesystem::path& path) const;

  /// Big endian. The span is valid while the key lives.
  [[nodiscard]] std::span<const std::uint8_t, kScalarBytes> scalar() const { return scalar_; }
  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  PrivateKey(PrivateKey&& other) noexcept;
  PrivateKey& operator=(PrivateKey&&) = delete;
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey();

 private:
  PrivateKey() = default;

  std::array<std::uint8_t, kScalarBytes> scalar_{};
  PublicKey public_key_{};
};

/// The plain PEM of a private key: what the file holds, decrypted if it is encrypted.
/// Errors: PkiError as read_secret_file(); if it is encrypted and `passphrase` is null, or that of
/// another key.
SecretBytes load_private_pem(const std::filesystem::path& path, const Passphrase* passphrase);

/// Creates a PEM file ("PUBLIC KEY", mode 0644). Errors: create_file(), PkiError if the point is
/// not on the curve.
void save_public_key(const std::filesystem::path& path, const PublicKey& key);

/// Errors: PkiError as read_file(), or if it holds no P-256 public key in PEM.
PublicKey load_public_key(const std::filesystem::path& path);

}  // namespace skep::pki
