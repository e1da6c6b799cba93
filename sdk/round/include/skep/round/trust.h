// What makes a model package acceptable to this device: who signed it, and whether it fits.
#pragma once

#include <cstddef>

#include "skep/bytes.h"
#include "skep/model/package_checks.h"
#include "skep/model_spec.h"
#include "skep/seal/signature.h"
#include "skep/status.h"

namespace skep::round {

/// model::PackageVerifier with skep::seal and the federation's signing key.
class PackageTrust final : public model::PackageVerifier {
 public:
  /// `key` outlives the object's use. Until it is set nothing verifies.
  void set_key(const seal::VerifyingKey& key) { key_ = &key; }

  [[nodiscard]] Result<model::VerifiedManifest> verify_manifest(Bytes manifest,
                                                                Bytes signature) override;
  Status verify_digest(const ByteSource& content, Bytes digest) override;

 private:
  const seal::VerifyingKey* key_ = nullptr;
};

/// model::SpecPolicy: the model can be trained in a workspace of this size with the compression
/// that takes least of it. Whether a round's own fits is checked when its plan arrives.
class WorkspacePolicy final : public model::SpecPolicy {
 public:
  explicit WorkspacePolicy(std::size_t workspace_bytes) : workspace_bytes_(workspace_bytes) {}

  /// Errors: those of learn::plan_memory(); kNoMemory; kMalformed if `weights_bytes` is not the
  /// length that the spec implies.
  Status accept(const ModelSpec& spec, std::uint32_t weights_bytes) override;

 private:
  std::size_t workspace_bytes_;
};

}  // namespace skep::round
