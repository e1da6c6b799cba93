// Hybrid public key encryption: RFC 9180, base mode, over PSA Crypto.
//
// Suites: DHKEM(P-256, HKDF-SHA256) or DHKEM(X25519, HKDF-SHA256), each with HKDF-SHA256 and
// AES-128-GCM. A KEM that the Mbed TLS configuration lacks answers kUnsupported.
//
// Threads: where MBEDTLS_THREADING_C is on, everything here may run in several threads at once
// and one PrivateKey may be used by all of them. A Sender or Recipient, which counts messages,
// belongs to one thread at a time.
//
// Memory: no heap of our own (Mbed TLS draws on mbedtls_calloc); secrets are wiped after use,
// keys are destroyed on every path. Stack: below 3 KB plus what Mbed TLS takes (the deepest
// frames of gcc 12 -O2 on x86-64, added up; not measured on a board).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "skep/bytes.h"
#include "skep/seal/crypto.h"
#include "skep/seal/psa_key.h"
#include "skep/status.h"

namespace skep::seal {

/// RFC 9180, section 7.1; equal to the wire's `Kem`.
enum class Kem : std::uint16_t {
  kP256HkdfSha256 = 0x0010,
  kX25519HkdfSha256 = 0x0020,
};

}  // namespace skep::seal

namespace skep::seal::hpke {

inline constexpr std::size_t kMaxPublicKeyBytes = 65;
inline constexpr std::size_t kPrivateKeyBytes = 32;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kExporterSecretBytes = 32;
/// Bounds of ours, so that labelled inputs fit a small stack.
inline constexpr std::size_t kMaxInfoBytes = 128;
inline constexpr std::size_t kMaxExporterContextBytes = 128;
/// 255 times the hash's length (RFC 5869).
inline constexpr std::size_t kMaxExportBytes = 255 * 32;

/// Bytes of a public key, and of an encapsulated key: 65 (uncompressed point) or 32; 0 for a
/// number that is no Kem.
[[nodiscard]] constexpr std::size_t public_key_bytes(Kem kem) {
  switch (kem) {
    case Kem::kP256HkdfSha256:
      return 65;
    case Kem::kX25519HkdfSha256:
      return 32;
  }
  return 0;
}

/// A serialised public or encapsulated key. Whether it is a point of the curve is checked where
/// it is used.
struct PublicKey {
  std::array<std::uint8_t, kMaxPublicKeyBytes> bytes{};
  std::size_t size_bytes = 0;

  [[nodiscard]] Bytes view() const { return {bytes.data(), size_bytes}; }
};

/// A recipient's private key: a volatile PSA key that is wiped when this object dies.
class PrivateKey {
 public:
  /// `raw`: 32 bytes, SerializePrivateKey of RFC 9180 (P-256: big-endian scalar).
  /// Errors: kInvalidArgument if the length is wrong, or a P-256 scalar is not in 1 … n−1;
  /// kUnsupported; kNoMemory; kCryptoFailed.
  static Result<PrivateKey> from_bytes(Kem kem, Bytes raw);

  /// A fresh key from PSA's generator. Only such a key can be exported.
  /// Errors: kNoEntropy; kUnsupported; kNoMemory; kCryptoFailed.
  static Result<PrivateKey> generate(Kem kem);

  [[nodiscard]] Kem kem() const { return kem_; }
  [[nodiscard]] Bytes public_key() const { return public_key_.view(); }
  [[nodiscard]] const PublicKey& serialized_public_key() const { return public_key_; }

  /// Writes the private key to `out`, exactly 32 bytes; the caller wipes them after use.
  /// Errors: kInvalidArgument (length); kUnsupported if the key was made by from_bytes().
  /// On error `out` is zeros.
  Status export_private(MutableBytes out) const;

  [[nodiscard]] const PsaKey& psa_key() const { return key_; }

 private:
  PrivateKey(Kem kem, PsaKey key) : kem_(kem), key_(std::move(key)) {}
  static Result<PrivateKey> adopt(Kem kem, PsaKey key);

  Kem kem_;
  PsaKey key_;
  PublicKey public_key_;
};

/// What Sender and Recipient share: the keys of one encapsulation, and a message counter.
class Context {
 public:
  /// RFC 9180, section 5.3: fills `out` with a secret bound to `exporter_context`.
  /// Errors: kTooLarge if exporter_context > kMaxExporterContextBytes or out > kMaxExportBytes;
  /// kNoMemory; kCryptoFailed. On error `out` is zeros.
  Status export_secret(Bytes exporter_context, MutableBytes out) const;

  /// Number of messages sealed or opened so far; the nonce of the next is base_nonce xor this.
  [[nodiscard]] std::uint64_t sequence_number() const { return sequence_number_; }

 protected:
  Context(Kem kem, PsaKey key, SecretBytes<kNonceBytes> base_nonce,
          SecretBytes<kExporterSecretBytes> exporter_secret);
  ~Context() = default;
  Context(Context&&) noexcept = default;
  Context& operator=(Context&&) noexcept = default;

  [[nodiscard]] std::array<std::uint8_t, kNonceBytes> next_nonce() const;

  Kem kem_;
  PsaKey key_;
  SecretBytes<kNonceBytes> base_nonce_;
  SecretBytes<kExporterSecretBytes> exporter_secret_;
  std::uint64_t sequence_number_ = 0;

 private:
  friend struct ContextAccess;  // hpke_internal.h
};

/// The encrypting side.
class Sender : public Context {
 public:
  /// SetupBaseS with a fresh ephemeral key.
  /// Errors: kInvalidArgument if recipient_public_key has the wrong length, is not a point of
  /// the curve, or (X25519) gives an all-zero secret; kTooLarge if info > kMaxInfoBytes;
  /// kNoEntropy; kUnsupported; kNoMemory; kCryptoFailed.
  static Result<Sender> setup(Kem kem, Bytes recipient_public_key, Bytes info);

  /// The encapsulated key that the recipient needs.
  [[nodiscard]] Bytes enc() const { return enc_.view(); }
  [[nodiscard]] const PublicKey& encapsulated_key() const { return enc_; }

  /// Encrypts `plaintext` to the first plaintext.size() + kTagBytes bytes of `out` and returns
  /// that length. `plaintext` may be at out.data() exactly, no other overlap with `out`: it goes
  /// through PSA in pieces of 64 B (two on the stack), as PSA need not support overlap itself.
  /// Errors: kNoMemory if `out` is too small; kTooLarge after 2^64 − 1 messages; kCryptoFailed.
  /// On error the counter is unchanged and `out` unspecified.
  Result<std::size_t> seal(Bytes aad, Bytes plaintext, MutableBytes out);

 private:
  friend struct ContextAccess;
  Sender(Context&& context, const PublicKey& enc) : Context(std::move(context)), enc_(enc) {}

  PublicKey enc_;
};

/// The decrypting side.
class Recipient : public Context {
 public:
  /// SetupBaseR.
  /// Errors: kUndecryptable if `enc` has the wrong length, is not a point of the curve, or
  /// (X25519) gives an all-zero secret; kTooLarge if info > kMaxInfoBytes; kNoMemory;
  /// kCryptoFailed.
  static Result<Recipient> setup(const PrivateKey& key, Bytes enc, Bytes info);

  /// Decrypts the next message to the first ciphertext.size() − kTagBytes bytes of `out` and
  /// returns that length. `out` must not overlap `ciphertext`: PSA need not support it.
  /// Errors: kUndecryptable if key, aad or ciphertext are not what was sealed, or the
  /// ciphertext is shorter than its tag; kNoMemory if `out` is too small; kTooLarge after
  /// 2^64 − 1 messages; kCryptoFailed. On error the counter is unchanged and the part of `out`
  /// that the plaintext would have taken is zeros (kNoMemory, kTooLarge: `out` is unchanged).
  Result<std::size_t> open(Bytes aad, Bytes ciphertext, MutableBytes out);

 private:
  friend struct ContextAccess;
  explicit Recipient(Context&& context) : Context(std::move(context)) {}
};

/// One message: Sender::setup and Sender::seal. `enc` receives the encapsulated key.
/// Errors: as those.
Result<std::size_t> seal(Kem kem, Bytes recipient_public_key, Bytes info, Bytes aad,
                         Bytes plaintext, PublicKey& enc, MutableBytes out);

/// One message: Recipient::setup and Recipient::open. Errors: as those.
Result<std::size_t> open(const PrivateKey& key, Bytes enc, Bytes info, Bytes aad, Bytes ciphertext,
                         MutableBytes out);

}  // namespace skep::seal::hpke
