// The only makers of verified plans, manifests and times: signature first, over the exact bytes,
// then decoding. Nothing that is not authentic is ever interpreted.
#pragma once

#include "skep/bytes.h"
#include "skep/flow.h"
#include "skep/seal/signature.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::seal {

class PlanVerifier;
class ManifestVerifier;
class TimeVerifier;

using VerifiedPlan = Verified<wire::RoundPlan, PlanVerifier>;
using VerifiedManifest = Verified<wire::ModelManifest, ManifestVerifier>;
using VerifiedTime = Verified<wire::GatewayTime, TimeVerifier>;

/// Threads, memory: as VerifyingKey::verify and the wire's decoders.
class PlanVerifier {
 public:
  /// `message`: an encoded SignedRoundPlan.
  /// Errors: those of wire::decode_signed_round_plan; kBadSignature; those of
  /// wire::decode_round_plan; kNoMemory; kCryptoFailed.
  static Result<VerifiedPlan> verify(Bytes message, const VerifyingKey& key);
};

class ManifestVerifier {
 public:
  /// The manifest and signature as they stand in `head`. Says nothing about the weights: their
  /// digest is in the manifest.
  /// Errors: kBadSignature; those of wire::decode_model_manifest; kNoMemory; kCryptoFailed.
  static Result<VerifiedManifest> verify(const wire::PackageHead& head, const VerifyingKey& key);
};

class TimeVerifier {
 public:
  /// `message`: an encoded SignedTime. Says nothing about whose nonce it answers.
  /// Errors: those of wire::decode_signed_time; kBadSignature; those of wire::decode_gateway_time;
  /// kNoMemory; kCryptoFailed.
  static Result<VerifiedTime> verify(Bytes message, const VerifyingKey& key);
};

}  // namespace skep::seal
