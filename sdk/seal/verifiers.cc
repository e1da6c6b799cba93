#include "skep/seal/verifiers.h"

namespace skep::seal {

Result<VerifiedPlan> PlanVerifier::verify(Bytes message, const VerifyingKey& key) {
  SKEP_ASSIGN_OR_RETURN(const wire::SignedRoundPlan envelope,
                        wire::decode_signed_round_plan(message));
  SKEP_TRY(key.verify(Domain::kRoundPlan, envelope.plan, envelope.signature));
  SKEP_ASSIGN_OR_RETURN(const wire::RoundPlan plan, wire::decode_round_plan(envelope.plan));
  return VerifiedPlan(plan);
}

Result<VerifiedManifest> ManifestVerifier::verify(const wire::PackageHead& head,
                                                  const VerifyingKey& key) {
  SKEP_TRY(key.verify(Domain::kModelManifest, head.manifest_view(), head.signature));
  SKEP_ASSIGN_OR_RETURN(const wire::ModelManifest manifest,
                        wire::decode_model_manifest(head.manifest_view()));
  return VerifiedManifest(manifest);
}

Result<VerifiedTime> TimeVerifier::verify(Bytes message, const VerifyingKey& key) {
  SKEP_ASSIGN_OR_RETURN(const wire::SignedTime envelope, wire::decode_signed_time(message));
  SKEP_TRY(key.verify(Domain::kGatewayTime, envelope.time, envelope.signature));
  SKEP_ASSIGN_OR_RETURN(const wire::GatewayTime time, wire::decode_gateway_time(envelope.time));
  return VerifiedTime(time);
}

}  // namespace skep::seal
