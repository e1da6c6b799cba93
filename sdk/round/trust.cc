#include "skep/round/trust.h"

#include <algorithm>

#include "skep/learn/memory_plan.h"
#include "skep/round/local_round.h"
#include "skep/seal/sha256.h"
#include "skep/wire/codec.h"

namespace skep::round {

Result<model::VerifiedManifest> PackageTrust::verify_manifest(Bytes manifest, Bytes signature) {
  if (key_ == nullptr) return Status::kBadSignature;
  SKEP_TRY(key_->verify(seal::Domain::kModelManifest, manifest, signature));
  wire::ModelManifest decoded;
  SKEP_TRY(wire::read_model_manifest(manifest, decoded));
  return vouch_for(decoded);
}

Status PackageTrust::verify_digest(const ByteSource& content, Bytes digest) {
  SKEP_ASSIGN_OR_RETURN(const seal::Sha256Digest computed, seal::sha256(content));
  return std::ranges::equal(computed, digest) ? Status::kOk : Status::kBadDigest;
}

Status WorkspacePolicy::accept(const ModelSpec& spec, std::uint32_t weights_bytes) {
  SKEP_ASSIGN_OR_RETURN(const learn::MemoryPlan plan, learn::plan_memory(spec));
  if (weights_bytes != plan.weights_blob_bytes) return Status::kMalformed;
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t needed_bytes,
                        LocalRound::workspace_bytes(spec, kLeastCompression));
  return needed_bytes <= workspace_bytes_ ? Status::kOk : Status::kNoMemory;
}

}  // namespace skep::round
