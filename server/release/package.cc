#include "skep/release/package.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "engine_on_heap.h"
#include "skep/seal/crypto.h"
#include "skep/seal/sha256.h"
#include "skep/seal/verifiers.h"

namespace skep::release {
namespace {

void require_name(const std::string& name) {
  if (!wire::is_valid_name(name.data(), name.size())) {
    throw PackageError(Status::kInvalidArgument,
                       "'" + name + "' is no model name: expected 1 to 32 of [a-z0-9-]");
  }
}

void require_versions(const ManifestFields& fields) {
  if (fields.model_version == 0) {
    throw PackageError(Status::kInvalidArgument, "model versions begin with 1, not 0");
  }
  if (fields.rolls_back_to >= fields.model_version) {
    throw PackageError(Status::kInvalidArgument, "version " + std::to_string(fields.model_version) +
                                                     " cannot repeat the later version " +
                                                     std::to_string(fields.rolls_back_to));
  }
}

/// As PackageError whatever the engine has against spec or weights.
void require_loadable(const ModelSpec& spec, Bytes weights) {
  try {
    EngineOnHeap(spec, learn::Purpose::kInference).load(weights);
  } catch (const ReleaseError& error) {
    throw PackageError(error.status(), error.what());
  }
}

wire::ModelManifest make_manifest(const ManifestFields& fields, Bytes weights) {
  wire::ModelManifest manifest{};
  manifest.version = 1;
  std::copy(fields.federation.begin(), fields.federation.end(), manifest.federation);
  std::snprintf(manifest.model_name, sizeof manifest.model_name, "%s", fields.model_name.c_str());
  manifest.model_version = fields.model_version;
  manifest.rolls_back_to = fields.rolls_back_to;
  manifest.round = fields.round;
  manifest.has_spec = true;
  manifest.spec = wire::from_model_spec(fields.spec);
  const auto digest = sha256(weights);
  std::copy(digest.begin(), digest.end(), manifest.weights_digest);
  manifest.weights_bytes = static_cast<std::uint32_t>(weights.size());
  manifest.contributor_count = fields.contributor_count;
  manifest.has_evaluation = true;
  manifest.evaluation = fields.evaluation;
  manifest.minimum_sdk_version = kMinimumSdkVersion;
  manifest.created_unix_s = fields.created_unix_s;
  manifest.expires_unix_s = fields.expires_unix_s;
  return manifest;
}

[[noreturn]] void fail(Status status, const std::string& what) {
  throw PackageError(status, what + " (" + to_string(status) + ")");
}

const char* explain_head(Status status) {
  return status == Status::kTooLarge ? "the package is larger than any valid one"
                                     : "the bytes are not one ModelPackage";
}

const char* explain_manifest(Status status) {
  return status == Status::kBadSignature
             ? "the manifest's signature does not verify under the given public key"
             : "the signed manifest is not one that this version understands";
}

void require_digest(const wire::ModelManifest& manifest, Bytes weights) {
  if (weights.size() != manifest.weights_bytes) {
    fail(Status::kBadDigest, "the package has " + std::to_string(weights.size()) +
                                 " bytes of weights: the manifest expects " +
                                 std::to_string(manifest.weights_bytes));
  }
  const auto digest = sha256(weights);
  if (!std::equal(digest.begin(), digest.end(), manifest.weights_digest)) {
    fail(Status::kBadDigest, "the weights have the SHA-256 " + to_hex(digest) +
                                 ": the manifest expects " + to_hex(manifest.weights_digest));
  }
}

}  // namespace

std::array<std::uint8_t, wire::kDigestBytes> sha256(Bytes bytes) {
  Status status = seal::initialize_crypto();
  if (status == Status::kOk) {
    const Result<seal::Sha256Digest> digest = seal::sha256(bytes);
    if (digest.ok()) return *digest;
    status = digest.status();
  }
  throw PackageError(status, "cannot compute a SHA-256");
}

std::string to_hex(Bytes bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

std::vector<std::uint8_t> build_package(const ManifestFields& fields, Bytes weights,
                                        const seal::SigningKey& key) {
  require_name(fields.model_name);
  require_versions(fields);
  require_loadable(fields.spec, weights);
  std::array<std::uint8_t, wire::kMaxManifestBytes> buffer{};
  const Result<std::size_t> length = wire::encode(make_manifest(fields, weights), buffer);
  if (!length.ok()) fail(length.status(), "the manifest's fields are not all in their ranges");
  const Bytes manifest = Bytes(buffer).first(*length);
  const Result<seal::Signature> signature = key.sign(seal::Domain::kModelManifest, manifest);
  if (!signature.ok()) fail(signature.status(), "cannot sign the manifest");

  const wire::ModelPackage package{manifest, *signature, weights};
  // Tags and lengths of three fields take less than 32 bytes.
  std::vector<std::uint8_t> encoded(manifest.size() + signature->size() + weights.size() + 32);
  const Result<std::size_t> total = wire::encode(package, encoded);
  if (!total.ok()) fail(total.status(), "the package cannot be encoded");
  encoded.resize(*total);
  if (encoded.size() > kMaxPackageBytes) {
    fail(Status::kTooLarge, "the package has " + std::to_string(encoded.size()) +
                                " bytes: expected at most " + std::to_string(kMaxPackageBytes));
  }
  return encoded;
}

OpenedPackage open_package(Bytes package, const seal::VerifyingKey& key) {
  const Status started = seal::initialize_crypto();
  if (started != Status::kOk) fail(started, "cryptography is not available");
  if (package.size() > kMaxPackageBytes) fail(Status::kTooLarge, explain_head(Status::kTooLarge));
  const Result<wire::PackageHead> head = wire::read_model_package(SpanSource(package));
  if (!head.ok()) fail(head.status(), explain_head(head.status()));
  const Result<seal::VerifiedManifest> manifest = seal::ManifestVerifier::verify(*head, key);
  if (!manifest.ok()) fail(manifest.status(), explain_manifest(manifest.status()));
  const Bytes weights = package.subspan(head->weights_offset, head->weights_bytes);
  require_digest(**manifest, weights);
  const Result<ModelSpec> spec = wire::to_model_spec((*manifest)->spec);
  if (!spec.ok()) fail(spec.status(), explain_manifest(spec.status()));
  require_loadable(*spec, weights);

  OpenedPackage opened{};
  opened.manifest = **manifest;
  opened.spec = *spec;
  opened.weights.assign(weights.begin(), weights.end());
  const Bytes signed_bytes = head->manifest_view();
  opened.manifest_bytes.assign(signed_bytes.begin(), signed_bytes.end());
  opened.signature = head->signature;
  return opened;
}

}  // namespace skep::release
