#include "ecc_key.h"

#include "psa_status.h"
#include "skep/seal/crypto.h"

namespace skep::seal {
namespace {

// Attributes of volatile keys own no memory, so they need no reset.
psa_key_attributes_t attributes_of(const EccKeyPolicy& policy, psa_key_type_t type) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, type);
  psa_set_key_bits(&attributes, policy.bits);
  psa_set_key_usage_flags(&attributes, policy.usage);
  psa_set_key_algorithm(&attributes, policy.algorithm);
  return attributes;
}

Result<PsaKey> import_key(const psa_key_attributes_t& attributes, Bytes raw) {
  psa_key_id_t id = PSA_KEY_ID_NULL;
  SKEP_TRY(from_psa_key_input(psa_import_key(&attributes, raw.data(), raw.size(), &id)));
  return PsaKey(id);
}

}  // namespace

Result<PsaKey> import_private_key(const EccKeyPolicy& policy, Bytes raw) {
  return import_key(attributes_of(policy, PSA_KEY_TYPE_ECC_KEY_PAIR(policy.family)), raw);
}

Result<PsaKey> import_public_key(const EccKeyPolicy& policy, Bytes raw) {
  return import_key(attributes_of(policy, PSA_KEY_TYPE_ECC_PUBLIC_KEY(policy.family)), raw);
}

Result<PsaKey> generate_private_key(const EccKeyPolicy& policy) {
  EccKeyPolicy exportable = policy;
  exportable.usage |= PSA_KEY_USAGE_EXPORT;
  const psa_key_attributes_t attributes =
      attributes_of(exportable, PSA_KEY_TYPE_ECC_KEY_PAIR(policy.family));
  psa_key_id_t id = PSA_KEY_ID_NULL;
  SKEP_TRY(from_psa(psa_generate_key(&attributes, &id)));
  return PsaKey(id);
}

Status export_public(const PsaKey& key, MutableBytes out) {
  std::size_t length = 0;
  SKEP_TRY(from_psa(psa_export_public_key(key.id(), out.data(), out.size(), &length)));
  return length == out.size() ? Status::kOk : Status::kInternal;
}

Status export_private(const PsaKey& key, std::size_t key_bytes, MutableBytes out) {
  wipe(out);
  if (out.size() != key_bytes) return Status::kInvalidArgument;
  std::size_t length = 0;
  const psa_status_t status = psa_export_key(key.id(), out.data(), out.size(), &length);
  if (status == PSA_SUCCESS && length == key_bytes) return Status::kOk;
  wipe(out);
  if (status == PSA_ERROR_NOT_PERMITTED) return Status::kUnsupported;
  return status == PSA_SUCCESS ? Status::kInternal : from_psa(status);
}

}  // namespace skep::seal
