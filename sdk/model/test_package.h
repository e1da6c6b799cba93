// Packages, a verifier and a policy for the tests of this folder.
#pragma once

#include <psa/crypto.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "skep/model/package_checks.h"
#include "skep/wire/weights_difference.h"

namespace skep::model::test {

using Buffer = std::vector<std::uint8_t>;
using Federation = std::array<std::uint8_t, wire::kFederationBytes>;

inline constexpr Federation kFederation{1, 2, 3, 4, 5, 6, 7, 8};
inline constexpr std::uint32_t kSdkVersion = 0x010000;

inline Buffer sha256(Bytes content) {
  Buffer digest(wire::kDigestBytes);
  std::size_t length = 0;
  if (psa_crypto_init() != PSA_SUCCESS ||
      psa_hash_compute(PSA_ALG_SHA_256, content.data(), content.size(), digest.data(),
                       digest.size(), &length) != PSA_SUCCESS) {
    std::abort();
  }
  return digest;
}

// A keyed hash stands for the signature: what ModelSlots does with the answers does not depend on
// the algorithm, and tens of thousands of installations are quick. round's tests use ECDSA.
inline Buffer sign(Bytes manifest) {
  Buffer keyed{'k', 'e', 'y'};
  keyed.insert(keyed.end(), manifest.begin(), manifest.end());
  Buffer signature = sha256(keyed);
  const Buffer half = signature;
  signature.insert(signature.end(), half.begin(), half.end());
  return signature;
}

class TestVerifier final : public PackageVerifier {
 public:
  Result<VerifiedManifest> verify_manifest(Bytes manifest, Bytes signature) override {
    const Buffer expected = sign(manifest);
    if (!std::equal(expected.begin(), expected.end(), signature.begin(), signature.end())) {
      return Status::kBadSignature;
    }
    SKEP_ASSIGN_OR_RETURN(const wire::ModelManifest decoded, wire::decode_model_manifest(manifest));
    return vouch_for(decoded);
  }

  Status verify_digest(const ByteSource& content, Bytes digest) override {
    Buffer bytes(content.size_bytes());
    SKEP_TRY(content.read(0, bytes));
    const Buffer found = sha256(bytes);
    return std::equal(found.begin(), found.end(), digest.begin(), digest.end())
               ? Status::kOk
               : Status::kBadDigest;
  }
};

class TestPolicy final : public SpecPolicy {
 public:
  std::uint16_t inputs_max = 64;

  Status accept(const ModelSpec& spec, std::uint32_t) override {
    return spec.inputs <= inputs_max ? Status::kOk : Status::kNoMemory;
  }
};

/// A package as it should be, to be spoilt by the test before encoded() signs it.
struct TestPackage {
  wire::ModelManifest manifest{};
  Buffer weights;

  explicit TestPackage(std::uint32_t version, std::size_t weights_bytes = 700)
      : weights(weights_bytes) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<std::uint8_t>(version * 37 + i * 11 + i / 256);
    }
    // Of a layer's exponent, −13, so that packages can be patched.
    weights[0] = 0xF3;
    weights[1] = 0xFF;
    ModelSpec spec;
    spec.inputs = 8;
    spec.layer_count = 1;
    spec.layers[0] = {LayerKind::kDense, 3};
    manifest.version = 1;
    std::copy(kFederation.begin(), kFederation.end(), manifest.federation);
    std::strcpy(manifest.model_name, "test");
    manifest.model_version = version;
    manifest.has_spec = true;
    manifest.spec = wire::from_model_spec(spec);
    manifest.has_evaluation = true;
    manifest.minimum_sdk_version = kSdkVersion;
    manifest.created_unix_s = 1;
    manifest.weights_bytes = static_cast<std::uint32_t>(weights.size());
    const Buffer digest = sha256(weights);
    std::copy(digest.begin(), digest.end(), manifest.weights_digest);
  }

  [[nodiscard]] Buffer signed_manifest() const {
    Buffer signed_bytes(wire::kMaxManifestBytes);
    const auto length = wire::encode(manifest, signed_bytes);
    if (!length.ok()) std::abort();
    signed_bytes.resize(*length);
    return signed_bytes;
  }

  [[nodiscard]] Buffer encoded() const {
    const Buffer signed_bytes = signed_manifest();
    Buffer package(weights.size() + 1024);
    const Buffer signature = sign(signed_bytes);
    const auto size = wire::encode(
        wire::ModelPackage{.manifest = signed_bytes, .signature = signature, .weights = weights},
        package);
    if (!size.ok()) std::abort();
    package.resize(*size);
    return package;
  }

  /// This package as a patch of `base`, as if the weights were one layer with some biases.
  [[nodiscard]] Buffer patch_of(const TestPackage& base) const {
    const auto biases = static_cast<std::uint32_t>(weights.size() / 24);
    const wire::LayerCounts layer{
        .weights = static_cast<std::uint32_t>((weights.size() - 2 - 4 * biases) / 2),
        .biases = biases};
    Buffer difference(2 * weights.size() + 64);
    const auto length = wire::encode_difference({&layer, 1}, base.weights, weights, difference);
    if (!length.ok()) std::abort();
    difference.resize(*length);
    const Buffer signed_bytes = signed_manifest();
    Buffer patch(difference.size() + 1024);
    const Buffer signature = sign(signed_bytes);
    const auto size = wire::encode(wire::ModelPatch{.base_version = base.manifest.model_version,
                                                    .manifest = signed_bytes,
                                                    .signature = signature,
                                                    .difference = difference},
                                   patch);
    if (!size.ok()) std::abort();
    patch.resize(*size);
    return patch;
  }
};

}  // namespace skep::model::test
