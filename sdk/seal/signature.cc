#include "skep/seal/signature.h"

#include <psa/crypto.h>

#include <algorithm>
#include <string_view>

#include "ecc_key.h"
#include "psa_status.h"
#include "signature_internal.h"

namespace skep::seal {
namespace {

// Deterministic nonces (RFC 6979) where the build has them; small ones (p256-m) draw each nonce
// from the entropy source, without which a device does nothing anyway. Who verifies sees no
// difference.
#if defined(PSA_WANT_ALG_DETERMINISTIC_ECDSA)
constexpr psa_algorithm_t kAlgorithm = PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256);
#else
constexpr psa_algorithm_t kAlgorithm = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
#endif
constexpr EccKeyPolicy kSigningPolicy{PSA_ECC_FAMILY_SECP_R1, 256, PSA_KEY_USAGE_SIGN_HASH,
                                      kAlgorithm};
constexpr EccKeyPolicy kVerifyingPolicy{PSA_ECC_FAMILY_SECP_R1, 256, PSA_KEY_USAGE_VERIFY_HASH,
                                        kAlgorithm};

/// Ends in the zero byte that keeps one prefix from being the beginning of another.
Result<Bytes> prefix_of(Domain domain) {
  static constexpr std::uint8_t kRoundPlan[] = "skep round plan v1";
  static constexpr std::uint8_t kSealedUpdate[] = "skep sealed update v1";
  static constexpr std::uint8_t kModelManifest[] = "skep model manifest v1";
  static constexpr std::uint8_t kAuditHead[] = "skep audit head v1";
  static constexpr std::uint8_t kGatewayTime[] = "skep gateway time v1";
  switch (domain) {
    case Domain::kRoundPlan:
      return Bytes(kRoundPlan);
    case Domain::kSealedUpdate:
      return Bytes(kSealedUpdate);
    case Domain::kModelManifest:
      return Bytes(kModelManifest);
    case Domain::kAuditHead:
      return Bytes(kAuditHead);
    case Domain::kGatewayTime:
      return Bytes(kGatewayTime);
  }
  return Status::kInvalidArgument;
}

Result<Sha256Digest> digest_of(Domain domain, std::span<const Bytes> parts) {
  SKEP_ASSIGN_OR_RETURN(const Bytes prefix, prefix_of(domain));
  Sha256 hash;
  SKEP_TRY(hash.update(prefix));
  for (const Bytes part : parts) SKEP_TRY(hash.update(part));
  return hash.finish();
}

}  // namespace

Result<Signature> sign_digest(const SigningKey& key, const Sha256Digest& digest) {
  Signature signature{};
  std::size_t length = 0;
  SKEP_TRY(from_psa(psa_sign_hash(key.key_.id(), kAlgorithm, digest.data(), digest.size(),
                                  signature.data(), signature.size(), &length)));
  if (length != signature.size()) return Status::kInternal;
  return signature;
}

Status verify_digest(const VerifyingKey& key, const Sha256Digest& digest, Bytes signature) {
  if (signature.size() != kSignatureBytes) return Status::kBadSignature;
  SKEP_ASSIGN_OR_RETURN(const PsaKey psa_key, import_public_key(kVerifyingPolicy, key.point()));
  const psa_status_t status = psa_verify_hash(psa_key.id(), kAlgorithm, digest.data(),
                                              digest.size(), signature.data(), signature.size());
  return status == PSA_ERROR_INVALID_SIGNATURE ? Status::kBadSignature : from_psa(status);
}

Result<SigningKey> SigningKey::from_bytes(Bytes scalar) {
  if (scalar.size() != kSigningScalarBytes) return Status::kInvalidArgument;
  SKEP_ASSIGN_OR_RETURN(PsaKey key, import_private_key(kSigningPolicy, scalar));
  return SigningKey(std::move(key));
}

Result<SigningKey> SigningKey::generate() {
  SKEP_ASSIGN_OR_RETURN(PsaKey key, generate_private_key(kSigningPolicy));
  return SigningKey(std::move(key));
}

Result<VerifyingPoint> SigningKey::public_key() const {
  VerifyingPoint point{};
  SKEP_TRY(export_public(key_, point));
  return point;
}

Status SigningKey::export_private(MutableBytes out) const {
  return seal::export_private(key_, kSigningScalarBytes, out);
}

Result<Signature> SigningKey::sign(Domain domain, std::span<const Bytes> parts) const {
  SKEP_ASSIGN_OR_RETURN(const Sha256Digest digest, digest_of(domain, parts));
  return sign_digest(*this, digest);
}

Result<Signature> SigningKey::sign(Domain domain, Bytes message) const {
  return sign(domain, std::span<const Bytes>(&message, 1));
}

Result<VerifyingKey> VerifyingKey::from_bytes(Bytes point) {
  if (point.size() != kVerifyingPointBytes) return Status::kInvalidArgument;
  // Importing checks that it is on the curve.
  SKEP_ASSIGN_OR_RETURN(const PsaKey checked, import_public_key(kVerifyingPolicy, point));
  VerifyingPoint copy;
  std::copy(point.begin(), point.end(), copy.begin());
  return VerifyingKey(copy);
}

Status VerifyingKey::verify(Domain domain, std::span<const Bytes> parts, Bytes signature) const {
  SKEP_ASSIGN_OR_RETURN(const Sha256Digest digest, digest_of(domain, parts));
  return verify_digest(*this, digest, signature);
}

Status VerifyingKey::verify(Domain domain, Bytes message, Bytes signature) const {
  return verify(domain, std::span<const Bytes>(&message, 1), signature);
}

}  // namespace skep::seal
