// DHKEM(P-256, HKDF-SHA256) and DHKEM(X25519, HKDF-SHA256): RFC 9180, sections 4.1 and 7.1.
#include <psa/crypto.h>

#include "ecc_key.h"
#include "hpke_internal.h"
#include "psa_status.h"

namespace skep::seal::hpke {
namespace {

Result<EccKeyPolicy> policy_of(Kem kem) {
  switch (kem) {
    case Kem::kP256HkdfSha256:
      return EccKeyPolicy{PSA_ECC_FAMILY_SECP_R1, 256, PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH};
    case Kem::kX25519HkdfSha256:
      return EccKeyPolicy{PSA_ECC_FAMILY_MONTGOMERY, 255, PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH};
  }
  return Status::kUnsupported;
}

/// In time that does not depend on where a set bit is.
bool is_all_zero(Bytes bytes) {
  std::uint8_t bits = 0;
  for (const std::uint8_t byte : bytes) bits = static_cast<std::uint8_t>(bits | byte);
  return bits == 0;
}

/// DH and ExtractAndExpand: the shared secret for either side's view of one exchange.
Result<HashSecret> agree(const PrivateKey& key, Bytes peer, Bytes enc, Bytes recipient) {
  if (peer.size() != public_key_bytes(key.kem())) return Status::kInvalidArgument;
  SecretBytes<32> dh;
  std::size_t length = 0;
  SKEP_TRY(from_psa_key_input(psa_raw_key_agreement(PSA_ALG_ECDH, key.psa_key().id(), peer.data(),
                                                    peer.size(), dh.mutable_view().data(),
                                                    dh.view().size(), &length)));
  if (length != dh.view().size()) return Status::kInternal;
  // Section 7.1.4: a point of small order would fix the secret whatever the private key is.
  if (is_all_zero(dh.view())) return Status::kInvalidArgument;

  const SuiteId suite = SuiteId::of_kem(key.kem());
  SKEP_ASSIGN_OR_RETURN(const HashSecret eae_prk,
                        labeled_extract(suite, Bytes(), "eae_prk", dh.view()));
  HashSecret shared_secret;
  SKEP_TRY(labeled_expand(suite, eae_prk, "shared_secret", enc, recipient,
                          shared_secret.mutable_view()));
  return shared_secret;
}

}  // namespace

Result<PrivateKey> PrivateKey::adopt(Kem kem, PsaKey key) {
  PrivateKey result(kem, std::move(key));
  result.public_key_.size_bytes = public_key_bytes(kem);
  SKEP_TRY(export_public(result.key_,
                         MutableBytes(result.public_key_.bytes).first(public_key_bytes(kem))));
  return result;
}

Result<PrivateKey> PrivateKey::from_bytes(Kem kem, Bytes raw) {
  SKEP_ASSIGN_OR_RETURN(const EccKeyPolicy policy, policy_of(kem));
  if (raw.size() != kPrivateKeyBytes) return Status::kInvalidArgument;
  SKEP_ASSIGN_OR_RETURN(PsaKey key, import_private_key(policy, raw));
  return adopt(kem, std::move(key));
}

Result<PrivateKey> PrivateKey::generate(Kem kem) {
  SKEP_ASSIGN_OR_RETURN(const EccKeyPolicy policy, policy_of(kem));
  SKEP_ASSIGN_OR_RETURN(PsaKey key, generate_private_key(policy));
  return adopt(kem, std::move(key));
}

Status PrivateKey::export_private(MutableBytes out) const {
  return seal::export_private(key_, kPrivateKeyBytes, out);
}

Result<SecretBytes<kPrivateKeyBytes>> derive_private_key(Kem kem, Bytes ikm) {
  SKEP_ASSIGN_OR_RETURN(const EccKeyPolicy policy, policy_of(kem));
  const SuiteId suite = SuiteId::of_kem(kem);
  SKEP_ASSIGN_OR_RETURN(const HashSecret dkp_prk, labeled_extract(suite, Bytes(), "dkp_prk", ikm));
  SecretBytes<kPrivateKeyBytes> candidate;
  if (kem == Kem::kX25519HkdfSha256) {
    SKEP_TRY(labeled_expand(suite, dkp_prk, "sk", Bytes(), Bytes(), candidate.mutable_view()));
    return candidate;
  }
  for (std::uint32_t counter = 0; counter < 256; ++counter) {
    const auto counter_byte = static_cast<std::uint8_t>(counter);
    SKEP_TRY(labeled_expand(suite, dkp_prk, "candidate", Bytes(&counter_byte, 1), Bytes(),
                            candidate.mutable_view()));
    // PSA refuses scalars outside of 1 … n−1, which is the RFC's test.
    const Result<PsaKey> imported = import_private_key(policy, candidate.view());
    if (imported.ok()) return candidate;
    if (imported.status() != Status::kInvalidArgument) return imported.status();
  }
  return Status::kCryptoFailed;
}

Result<Encapsulation> encap(const PrivateKey& ephemeral, Bytes recipient_public_key) {
  SKEP_ASSIGN_OR_RETURN(
      HashSecret shared_secret,
      agree(ephemeral, recipient_public_key, ephemeral.public_key(), recipient_public_key));
  Encapsulation result{std::move(shared_secret), {}};
  result.enc = ephemeral.serialized_public_key();
  return result;
}

Result<HashSecret> decap(const PrivateKey& key, Bytes enc) {
  return agree(key, enc, enc, key.public_key());
}

}  // namespace skep::seal::hpke
