// Signatures: ECDSA P-256 with SHA-256, deterministic (RFC 6979), raw r ‖ s.
//
// What is signed is always domain prefix ‖ message, where the prefix ends in a zero byte and no
// prefix is the beginning of another: a signature made for one purpose verifies for no other.
//
// ECDSA signatures are malleable (s and n − s both verify): never use one as an identity.
//
// Threads: where MBEDTLS_THREADING_C is on, one key may sign or verify in several threads.
// Memory: no heap of our own (Mbed TLS draws on mbedtls_calloc), stack below 1 KB plus what
// Mbed TLS takes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "skep/bytes.h"
#include "skep/seal/psa_key.h"
#include "skep/seal/sha256.h"
#include "skep/status.h"

namespace skep::seal {

inline constexpr std::size_t kSignatureBytes = 64;
inline constexpr std::size_t kSigningScalarBytes = 32;
inline constexpr std::size_t kVerifyingPointBytes = 65;

using Signature = std::array<std::uint8_t, kSignatureBytes>;
using VerifyingPoint = std::array<std::uint8_t, kVerifyingPointBytes>;

/// What a signature is for.
enum class Domain : std::uint8_t {
  kRoundPlan,      ///< "skep round plan v1\0"
  kSealedUpdate,   ///< "skep sealed update v1\0"
  kModelManifest,  ///< "skep model manifest v1\0"
  kAuditHead,      ///< "skep audit head v1\0"
  kGatewayTime,    ///< "skep gateway time v1\0"
};

/// A private key: a volatile PSA key that is wiped when this object dies. Move-only.
class SigningKey {
 public:
  /// `scalar`: 32 bytes, big endian. The caller wipes its copy.
  /// Errors: kInvalidArgument if the length is wrong or the scalar is not in 1 … n−1;
  /// kNoMemory; kCryptoFailed.
  static Result<SigningKey> from_bytes(Bytes scalar);

  /// A fresh key from PSA's generator. Only such a key can be exported.
  /// Errors: kNoEntropy; kNoMemory; kCryptoFailed.
  static Result<SigningKey> generate();

  /// The uncompressed point, computed at each call (a device never needs it).
  /// Errors: kNoMemory; kCryptoFailed.
  Result<VerifyingPoint> public_key() const;

  /// Writes the scalar to `out`, exactly 32 bytes; the caller wipes them after use.
  /// Errors: kInvalidArgument (length); kUnsupported if the key was made by from_bytes().
  /// On error `out` is zeros.
  Status export_private(MutableBytes out) const;

  /// Signs domain prefix ‖ parts[0] ‖ parts[1] … The parts' borders are not signed: a message
  /// of several fields of any length carries their lengths.
  /// Errors: kInvalidArgument (domain); kNoMemory; kCryptoFailed.
  Result<Signature> sign(Domain domain, std::span<const Bytes> parts) const;
  Result<Signature> sign(Domain domain, Bytes message) const;

 private:
  explicit SigningKey(PsaKey key) : key_(std::move(key)) {}
  friend Result<Signature> sign_digest(const SigningKey& key, const Sha256Digest& digest);
  PsaKey key_;
};

/// A public key: a plain value that is known to be a point of the curve.
class VerifyingKey {
 public:
  /// `point`: 65 bytes, uncompressed (04 ‖ x ‖ y).
  /// Errors: kInvalidArgument if the length is wrong or it is not a point of the curve;
  /// kNoMemory; kCryptoFailed.
  static Result<VerifyingKey> from_bytes(Bytes point);

  [[nodiscard]] const VerifyingPoint& point() const { return point_; }

  /// kOk only if `signature` was made by this key's owner over exactly this.
  /// Errors: kBadSignature, for a wrong length too; kInvalidArgument (domain); kNoMemory;
  /// kCryptoFailed.
  Status verify(Domain domain, std::span<const Bytes> parts, Bytes signature) const;
  Status verify(Domain domain, Bytes message, Bytes signature) const;

  friend bool operator==(const VerifyingKey&, const VerifyingKey&) = default;

 private:
  explicit VerifyingKey(const VerifyingPoint& point) : point_(point) {}
  VerifyingPoint point_;
};

}  // namespace skep::seal
