// What ModelSlots needs to be told by others in order to trust a package.
#pragma once

#include <array>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/flow.h"
#include "skep/model_spec.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::model {

class PackageVerifier;

/// A manifest whose signature was checked. Only a PackageVerifier can make one.
using VerifiedManifest = Verified<wire::ModelManifest, PackageVerifier>;

/// The cryptography of a package. Stages do not include each other: round implements this with
/// skep::seal.
class PackageVerifier {
 public:
  /// Checks `signature` over exactly the bytes `manifest`, and only then decodes them.
  ///
  /// Errors: kBadSignature; those of wire::decode_model_manifest(); kCryptoFailed.
  [[nodiscard]] virtual Result<VerifiedManifest> verify_manifest(Bytes manifest,
                                                                 Bytes signature) = 0;

  /// Checks that the SHA-256 of all of `content` is `digest` (32 bytes).
  ///
  /// Errors: kBadDigest; kStorageFailed if `content` cannot be read; kCryptoFailed.
  virtual Status verify_digest(const ByteSource& content, Bytes digest) = 0;

 protected:
  ~PackageVerifier() = default;

  /// For implementations, after the check.
  [[nodiscard]] static VerifiedManifest vouch_for(const wire::ModelManifest& manifest) {
    return VerifiedManifest(manifest);
  }
};

/// Whether this device can run a model.
class SpecPolicy {
 public:
  /// Errors: kNoMemory if the model does not fit the arena; kUnsupported or others if it cannot
  /// run for another reason, or if `weights_bytes` is not the length that `spec` implies.
  virtual Status accept(const ModelSpec& spec, std::uint32_t weights_bytes) = 0;

 protected:
  ~SpecPolicy() = default;
};

/// What a package is checked against. All references outlive the ModelSlots.
struct PackageChecks {
  PackageVerifier& verifier;
  SpecPolicy& policy;
  std::array<std::uint8_t, wire::kFederationBytes> federation;  ///< Ours.
  std::uint32_t sdk_version;  ///< Ours: major << 16 | minor << 8 | patch.
};

}  // namespace skep::model
