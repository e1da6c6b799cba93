#include "opener.h"

#include <stdexcept>

#include "skep/checked/take.h"
#include "skep/pki/keys.h"

namespace skep::bench {
namespace {

using checked::take;

seal::AggregationKey load_key(const std::filesystem::path& directory, const wire::RoundPlan& plan) {
  const pki::PrivateKey key = pki::PrivateKey::load(directory / "aggregation.key");
  const seal::Kem kem = take(seal::kem_from_wire(plan.kem), "the plan's key encapsulation");
  return take(seal::AggregationKey::from_bytes(kem, key.scalar()), "the aggregation key");
}

}  // namespace

Opener::Opener(const std::filesystem::path& directory, const wire::RoundPlan& plan)
    : key_(load_key(directory, plan)) {}

wire::Update Opener::open(Bytes update, const seal::VerifyingKey& device) {
  const wire::SealedUpdate sealed = take(wire::decode_sealed_update(update), "a sealed update");
  if (seal::verify_update_signature(sealed, device) != Status::kOk) {
    throw std::runtime_error("a signature does not verify");
  }
  plaintext_.resize(sealed.ciphertext.size());
  return take(seal::open_update(sealed, key_, plaintext_), "open an update");
}

seal::VerifyingKey verifying_key_of(const wire::DeviceCredentials& credentials) {
  const auto key = take(seal::SigningKey::from_bytes(credentials.device_private_key), "a key");
  return take(seal::VerifyingKey::from_bytes(take(key.public_key(), "a key")), "a key");
}

}  // namespace skep::bench
