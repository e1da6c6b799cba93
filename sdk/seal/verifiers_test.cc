#include "skep/seal/verifiers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "seal_testing.h"

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::take;

template <typename Message>
Buffer encoded(const Message& message) {
  Buffer out(2048);
  out.resize(take(wire::encode(message, out)));
  return out;
}

wire::RoundPlan some_plan() {
  wire::RoundPlan plan{};
  plan.version = 1;
  plan.state = skep_RoundState_ROUND_STATE_OPEN;
  plan.round = 20;
  plan.base_version = 19;
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = 1638;
  plan.learning_rate_shift = 15;
  plan.local_epochs = 5;
  plan.batch_size = 1;
  plan.clip_norm_q16 = 1U << 16U;
  plan.keep_permille = 100;
  plan.value_bits = 12;
  plan.key_id = 3;
  plan.kem = skep_Kem_KEM_DHKEM_P256_HKDF_SHA256;
  plan.aggregation_key.size = wire::kP256PointBytes;
  plan.aggregation_key.bytes[0] = 0x04;
  return plan;
}

wire::ModelManifest some_manifest() {
  ModelSpec spec;
  spec.inputs = 64;
  spec.input_exponent = -4;
  spec.layer_count = 1;
  spec.layers[0] = {LayerKind::kDense, 10};
  wire::ModelManifest manifest{};
  manifest.version = 1;
  std::strcpy(manifest.model_name, "digits");
  manifest.model_version = 21;
  manifest.has_spec = true;
  manifest.spec = wire::from_model_spec(spec);
  manifest.weights_bytes = 1300;
  manifest.has_evaluation = true;
  return manifest;
}

class Verifiers : public ::testing::Test {
 protected:
  Verifiers()
      : signer_(take(SigningKey::generate())),
        key_(take(VerifyingKey::from_bytes(take(signer_.public_key())))) {}

  /// A SignedRoundPlan over any bytes.
  [[nodiscard]] Buffer signed_plan(Bytes plan, Domain domain = Domain::kRoundPlan) const {
    const Signature signature = take(signer_.sign(domain, plan));
    return encoded(wire::SignedRoundPlan{plan, signature});
  }

  [[nodiscard]] wire::PackageHead head(Bytes manifest,
                                       Domain domain = Domain::kModelManifest) const {
    wire::PackageHead head{};
    std::copy(manifest.begin(), manifest.end(), head.manifest.begin());
    head.manifest_bytes = static_cast<std::uint16_t>(manifest.size());
    head.signature = take(signer_.sign(domain, manifest));
    return head;
  }

  SigningKey signer_;
  VerifyingKey key_;
};

TEST_F(Verifiers, GiveTheSignedPlan) {
  const VerifiedPlan plan = take(PlanVerifier::verify(signed_plan(encoded(some_plan())), key_));
  EXPECT_EQ(plan->round, 20U);
  EXPECT_EQ(encoded(*plan), encoded(some_plan()));
}

TEST_F(Verifiers, RefuseEveryAlteredByteOfAPlan) {
  Buffer message = signed_plan(encoded(some_plan()));
  for (std::uint8_t& byte : message) {
    byte = static_cast<std::uint8_t>(byte ^ 0x01);
    EXPECT_FALSE(PlanVerifier::verify(message, key_).ok());
    byte = static_cast<std::uint8_t>(byte ^ 0x01);
  }
  EXPECT_TRUE(PlanVerifier::verify(message, key_).ok());
  for (std::size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(PlanVerifier::verify(Bytes(message).first(length), key_).ok());
  }
}

TEST_F(Verifiers, JudgeThePlansSignatureBeforeItsContent) {
  const Buffer garbage = {0xFF, 0xFF, 0xFF};
  const SigningKey stranger = take(SigningKey::generate());
  const VerifyingKey strangers_key = take(VerifyingKey::from_bytes(take(stranger.public_key())));
  EXPECT_EQ(PlanVerifier::verify(signed_plan(garbage), strangers_key).status(),
            Status::kBadSignature);
  EXPECT_EQ(PlanVerifier::verify(signed_plan(garbage), key_).status(), Status::kMalformed);
}

TEST_F(Verifiers, GiveTheSignedManifest) {
  const wire::PackageHead package = head(encoded(some_manifest()));
  const VerifiedManifest manifest = take(ManifestVerifier::verify(package, key_));
  EXPECT_EQ(manifest->model_version, 21U);
  EXPECT_EQ(encoded(*manifest), encoded(some_manifest()));
}

TEST_F(Verifiers, RefuseEveryAlteredByteOfAManifest) {
  wire::PackageHead package = head(encoded(some_manifest()));
  for (std::size_t i = 0; i < package.manifest_bytes; ++i) {
    package.manifest[i] = static_cast<std::uint8_t>(package.manifest[i] ^ 0x01);
    EXPECT_EQ(ManifestVerifier::verify(package, key_).status(), Status::kBadSignature);
    package.manifest[i] = static_cast<std::uint8_t>(package.manifest[i] ^ 0x01);
  }
  for (std::uint8_t& byte : package.signature) {
    byte = static_cast<std::uint8_t>(byte ^ 0x01);
    EXPECT_EQ(ManifestVerifier::verify(package, key_).status(), Status::kBadSignature);
    byte = static_cast<std::uint8_t>(byte ^ 0x01);
  }
  EXPECT_TRUE(ManifestVerifier::verify(package, key_).ok());
}

TEST_F(Verifiers, JudgeTheManifestsSignatureBeforeItsContent) {
  wire::PackageHead package = head(Buffer{0xFF, 0xFF, 0xFF});
  EXPECT_EQ(ManifestVerifier::verify(package, key_).status(), Status::kMalformed);
  package.manifest_bytes = 2;
  EXPECT_EQ(ManifestVerifier::verify(package, key_).status(), Status::kBadSignature);
}

TEST_F(Verifiers, RefuseSignaturesMadeForSomethingElse) {
  for (const Domain domain : {Domain::kSealedUpdate, Domain::kModelManifest}) {
    EXPECT_EQ(PlanVerifier::verify(signed_plan(encoded(some_plan()), domain), key_).status(),
              Status::kBadSignature);
  }
  for (const Domain domain : {Domain::kSealedUpdate, Domain::kRoundPlan}) {
    EXPECT_EQ(ManifestVerifier::verify(head(encoded(some_manifest()), domain), key_).status(),
              Status::kBadSignature);
  }
}

}  // namespace
}  // namespace skep::seal
