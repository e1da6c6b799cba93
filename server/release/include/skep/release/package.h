// The signed ModelPackage: what a gateway publishes and a device installs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "skep/bytes.h"
#include "skep/model_spec.h"
#include "skep/release/error.h"
#include "skep/seal/signature.h"
#include "skep/wire/codec.h"

namespace skep::release {

/// The manifest's fields that are not computed from the weights. Units as in proto/skep.proto.
struct ManifestFields {
  std::array<std::uint8_t, wire::kFederationBytes> federation{};
  std::string model_name;
  std::uint32_t model_version = 0;
  std::uint32_t rolls_back_to = 0;
  std::uint32_t round = 0;
  ModelSpec spec;
  std::uint32_t contributor_count = 0;
  wire::EvaluationMetrics evaluation{};
  std::uint64_t created_unix_s = 0;
  std::uint64_t expires_unix_s = 0;
};

/// Oldest SDK that can run the models of this build: 0.1.0.
inline constexpr std::uint32_t kMinimumSdkVersion = 0U << 16U | 1U << 8U | 0U;

/// Builds, signs and encodes.
///
/// Errors: PackageError of kInvalidArgument naming what proto/skep.proto does not allow in
/// `fields`; of kMalformed if `weights` is not the spec's blob; of kTooLarge if the package
/// exceeds kMaxPackageBytes; of kCryptoFailed if it cannot be signed.
std::vector<std::uint8_t> build_package(const ManifestFields& fields, Bytes weights,
                                        const seal::SigningKey& key);

/// A package whose signature, digest and content were verified.
struct OpenedPackage {
  wire::ModelManifest manifest;
  ModelSpec spec;
  std::vector<std::uint8_t> weights;
  /// The exact bytes that were signed, and their signature.
  std::vector<std::uint8_t> manifest_bytes;
  std::array<std::uint8_t, wire::kSignatureBytes> signature;
};

/// Verifies everything: encoding, signature, manifest, weights' length and digest, that the spec
/// can run and that the engine loads the weights. Nothing of an unsigned manifest is looked at.
///
/// Errors: PackageError of kTooLarge, kMalformed, kBadSignature, kUnsupportedVersion,
/// kUnsupported, kBadDigest.
OpenedPackage open_package(Bytes package, const seal::VerifyingKey& key);

/// "a1b2…": two lower-case digits a byte.
std::string to_hex(Bytes bytes);

/// SHA-256. Errors: PackageError of kCryptoFailed.
std::array<std::uint8_t, wire::kDigestBytes> sha256(Bytes bytes);

}  // namespace skep::release
