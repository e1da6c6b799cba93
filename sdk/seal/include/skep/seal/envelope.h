// A SealedUpdate: made on the device, opened on the gateway (design.md, section 5).
//
// HPKE base mode, info = "skep update v1\0" ‖ federation id, aad = the encoded UpdateHeader;
// then an ECDSA signature by the device's key over header, enc and ciphertext. Layout and what
// is signed: SealedUpdate in proto/skep.proto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "skep/bytes.h"
#include "skep/flow.h"
#include "skep/seal/hpke.h"
#include "skep/seal/signature.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::seal {

/// What an update says besides its delta; ranges as in proto/skep.proto.
struct UpdateContext {
  std::span<const std::uint8_t, wire::kFederationBytes> federation;
  std::string_view device;  ///< Name, [a-z0-9-], 1 … wire::kMaxNameChars.
  std::uint32_t round;
  std::uint32_t base_version;
  std::span<const std::uint8_t, wire::kNonceBytes> nonce;  ///< Of the plan.
  std::uint32_t key_id;
  /// First half of the base weights' SHA-256.
  std::span<const std::uint8_t, wire::kShortDigestBytes> base_digest;
  std::uint32_t loss_before_q16;
  std::uint32_t loss_after_q16;
};

struct SealKeys {
  Kem kem;
  Bytes aggregation_public_key;
  const SigningKey& device_key;
};

/// The wire's number as a Kem. Errors: kUnsupported.
Result<Kem> kem_from_wire(skep_Kem kem);
[[nodiscard]] skep_Kem kem_to_wire(Kem kem);

/// No SealedUpdate with a compressed delta of this length is longer.
[[nodiscard]] constexpr std::uint32_t sealed_bytes_bound(std::uint32_t compressed_bytes) {
  // Two bytes of tag and length for each short member, four for those of any length.
  constexpr std::size_t kUpdateOverhead = 2 + (2 + wire::kShortDigestBytes) + 3 * 6 + 4;
  constexpr std::size_t kEnvelopeOverhead = (2 + wire::kMaxUpdateHeaderBytes) +
                                            (2 + hpke::kMaxPublicKeyBytes) + (4 + hpke::kTagBytes) +
                                            (2 + kSignatureBytes);
  return compressed_bytes + static_cast<std::uint32_t>(kUpdateOverhead + kEnvelopeOverhead);
}

// Declared in skep/flow.h, and documented here:
//
//   Result<Sealed> seal_update(const Compressed& update, const UpdateContext& context,
//                              const SealKeys& keys, MutableBytes out);
//
// Encodes, encrypts in place and signs, all inside `out`; sealed_bytes_bound() bytes always
// suffice. update.bytes() may lie anywhere in `out`; nothing else may. Each call makes a fresh
// ephemeral key, so two calls with the same input give different bytes: store the result before
// it is sent, and send it again rather than sealing again.
//
// Stack below 4 KB plus what Mbed TLS takes (see hpke.h); no heap of our own. Thread-safe for
// distinct `out`.
//
// Errors: kInvalidArgument if a value of `context` is one that the wire refuses, the delta is
// empty or the aggregation key is not a valid public key; kTooLarge if the result would exceed
// kMaxUpdateBytes; kNoMemory if `out` is too small; kNoEntropy; kUnsupported (KEM not built in);
// kCryptoFailed. On error `out` is unspecified, except that it holds no plaintext: what had been
// written to it is wiped. update.bytes() outside of `out` are never changed.

/// The key that opens updates. One may be used by several threads (see hpke.h).
using AggregationKey = hpke::PrivateKey;

/// Checks the device's signature over the exact bytes of header, enc and ciphertext.
/// Errors: kBadSignature; kNoMemory; kCryptoFailed.
Status verify_update_signature(const wire::SealedUpdate& update, const VerifyingKey& key);

/// Decrypts to `plaintext`, decodes, and returns views into it. ciphertext.size() −
/// hpke::kTagBytes bytes are needed. Does not check the signature: call
/// verify_update_signature() first. Threads: safe for distinct `plaintext`.
///
/// Errors: those of wire::decode_update_header; kUndecryptable if header, enc or ciphertext are
/// not what was sealed to this key; those of wire::decode_update; kNoMemory if `plaintext` is too
/// small; kCryptoFailed. On error `plaintext` holds none of the update.
Result<wire::Update> open_update(const wire::SealedUpdate& update, const AggregationKey& key,
                                 MutableBytes plaintext);

}  // namespace skep::seal
