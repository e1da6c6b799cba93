// The steps of RFC 9180 by its own names, so that every intermediate value can be checked
// against the RFC's vectors. Only hpke.cc and tests include this.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "labeled_hkdf.h"
#include "skep/bytes.h"
#include "skep/seal/hpke.h"
#include "skep/status.h"

namespace skep::seal::hpke {

inline constexpr std::size_t kAeadKeyBytes = 16;
inline constexpr std::size_t kKeyScheduleContextBytes = 1 + 2 * kHashBytes;

struct Encapsulation {
  HashSecret shared_secret;
  PublicKey enc;
};

struct KeySchedule {
  std::array<std::uint8_t, kKeyScheduleContextBytes> context;
  HashSecret secret;
  SecretBytes<kAeadKeyBytes> key;
  SecretBytes<kNonceBytes> base_nonce;
  SecretBytes<kExporterSecretBytes> exporter_secret;
};

/// DeriveKeyPair (section 7.1.3): the serialised private key for `ikm`.
/// Errors: kTooLarge if ikm is longer than kMaxInfoBytes; kUnsupported; kNoMemory; kCryptoFailed.
Result<SecretBytes<kPrivateKeyBytes>> derive_private_key(Kem kem, Bytes ikm);

/// Encap (section 4.1) with a given ephemeral key, which must never be used twice.
/// Errors: kInvalidArgument if recipient_public_key is not valid; kNoMemory; kCryptoFailed.
Result<Encapsulation> encap(const PrivateKey& ephemeral, Bytes recipient_public_key);

/// Decap (section 4.1). Errors: kInvalidArgument if enc is not valid; kNoMemory; kCryptoFailed.
Result<HashSecret> decap(const PrivateKey& key, Bytes enc);

/// KeySchedule (section 5.1), mode base. Errors: kTooLarge if info is longer than
/// kMaxInfoBytes; kNoMemory; kCryptoFailed.
Result<KeySchedule> key_schedule(Kem kem, const HashSecret& shared_secret, Bytes info);

/// What hpke.cc and tests do to contexts and their users must not.
struct ContextAccess {
  static Result<Sender> sender(const PrivateKey& ephemeral, Bytes recipient_public_key, Bytes info);
  static Result<Recipient> recipient(const PrivateKey& key, Bytes enc, Bytes info);
  static std::array<std::uint8_t, kNonceBytes> next_nonce(const Context& context) {
    return context.next_nonce();
  }
  static void set_sequence_number(Context& context, std::uint64_t number) {
    context.sequence_number_ = number;
  }
};

}  // namespace skep::seal::hpke
