#include "packages.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "skep/learn/engine.h"
#include "skep/learn/layers.h"
#include "skep/learn/memory_plan.h"
#include "skep/seal/sha256.h"
#include "skep/version.h"
#include "skep/wire/codec.h"
#include "skep/wire/weights_difference.h"
#include "test_keys.h"

namespace skep::firmware_test {
namespace {

constexpr learn::MemoryPlan kLargestMemory = *learn::plan_memory(kLargerSpec);
constexpr std::size_t kMaxSpecBytes = 256;

alignas(8) std::array<std::byte, kLargestMemory.inference_bytes> engine_memory;
std::array<std::uint8_t, kLargestMemory.weights_blob_bytes> weights_memory;

// Protocol Buffers, as far as a manifest needs them.
class Writer {
 public:
  explicit Writer(MutableBytes out) : out_(out) {}

  void varint(std::uint32_t value) {
    for (; value >= 128; value >>= 7U) byte(value | 128U);
    byte(value);
  }
  /// Zeros are left out, as always.
  void number(std::uint32_t field, std::uint32_t value) {
    if (value == 0) return;
    varint(field << 3U);
    varint(value);
  }
  void bytes(std::uint32_t field, Bytes content) {
    varint(field << 3U | 2U);
    varint(static_cast<std::uint32_t>(content.size()));
    for (const std::uint8_t value : content) byte(value);
  }
  [[nodiscard]] Result<std::size_t> size() const {
    if (size_ > out_.size()) return Status::kNoMemory;
    return size_;
  }
  [[nodiscard]] Bytes written() const { return out_.first(std::min(size_, out_.size())); }

 private:
  void byte(std::uint32_t value) {
    if (size_ < out_.size()) out_[size_] = static_cast<std::uint8_t>(value);
    ++size_;
  }

  MutableBytes out_;
  std::size_t size_ = 0;
};

void write_spec(const RawSpec& spec, Writer& out) {
  out.number(1, 1);
  out.number(2, spec.inputs);
  out.number(3, 29);  // −15, zigzag
  out.number(4, 1);
  for (const RawLayer& layer : spec.layers) {
    std::array<std::uint8_t, 16> bytes{};
    Writer writer(bytes);
    writer.number(1, layer.kind);
    writer.number(2, layer.outputs);
    out.bytes(5, writer.written());
  }
}

RawSpec raw(const ModelSpec& spec) {
  static std::array<RawLayer, kMaxLayers> layers;
  for (std::size_t i = 0; i < spec.layer_count; ++i) {
    layers[i] = {static_cast<std::uint32_t>(spec.layers[i].kind), spec.layers[i].outputs};
  }
  return {spec.inputs, std::span(layers).first(spec.layer_count)};
}

// The weights' bytes, in weights_memory.
Result<Bytes> draw_weights(const ModelSpec& spec, std::uint32_t seed) {
  SKEP_ASSIGN_OR_RETURN(const learn::MemoryPlan plan, learn::plan_memory(spec));
  if (plan.weights_blob_bytes > weights_memory.size()) return Status::kNoMemory;
  SKEP_ASSIGN_OR_RETURN(learn::Engine engine,
                        learn::Engine::create(spec, learn::Purpose::kInference, engine_memory));
  SKEP_TRY(engine.initialize(seed));
  const MutableBytes weights = MutableBytes(weights_memory).first(plan.weights_blob_bytes);
  SKEP_TRY(engine.store(weights));
  return Bytes(weights);
}

Result<std::size_t> write_manifest(const PackageContent& content, Bytes weights, MutableBytes out) {
  std::array<std::uint8_t, kMaxSpecBytes> spec_bytes{};
  Writer spec(spec_bytes);
  write_spec(content.spec == nullptr ? raw(content.model) : *content.spec, spec);
  SKEP_ASSIGN_OR_RETURN(const seal::Sha256Digest digest, seal::sha256(weights));
  static constexpr std::uint8_t kName[] = {'t', 'e', 's', 't'};

  Writer writer(out);
  writer.number(1, 1);
  writer.bytes(2, kFederation);
  writer.bytes(3, kName);
  writer.number(4, content.version);
  writer.bytes(7, spec.written());
  writer.bytes(8, digest);
  writer.number(9, static_cast<std::uint32_t>(weights.size()));
  writer.bytes(11, Bytes());
  writer.number(14, kSdkVersion);
  writer.number(15, 1);
  return writer.size();
}

Result<seal::Signature> hash_signature(Bytes manifest) {
  static constexpr std::uint8_t kKey[] = {'k', 'e', 'y'};
  seal::Sha256 hash;
  SKEP_TRY(hash.update(kKey));
  SKEP_TRY(hash.update(manifest));
  SKEP_ASSIGN_OR_RETURN(const seal::Sha256Digest digest, hash.finish());
  seal::Signature signature{};
  std::copy(digest.begin(), digest.end(), signature.begin());
  std::copy(digest.begin(), digest.end(), signature.begin() + digest.size());
  return signature;
}

Result<seal::Signature> sign(SignedBy signed_by, Bytes manifest) {
  if (signed_by == SignedBy::kHash) return hash_signature(manifest);
  const seal::SigningKey& key = signed_by == SignedBy::kOurs ? signing_key() : foreign_key();
  return key.sign(seal::Domain::kModelManifest, manifest);
}

}  // namespace

Result<std::size_t> make_package(const PackageContent& content, MutableBytes out) {
  SKEP_ASSIGN_OR_RETURN(const Bytes weights, draw_weights(content.model, content.version));
  std::array<std::uint8_t, wire::kMaxManifestBytes> manifest_bytes{};
  SKEP_ASSIGN_OR_RETURN(const std::size_t length, write_manifest(content, weights, manifest_bytes));
  const Bytes manifest = Bytes(manifest_bytes).first(length);
  SKEP_ASSIGN_OR_RETURN(const seal::Signature signature, sign(content.signed_by, manifest));
  Writer writer(out);
  writer.bytes(1, manifest);
  writer.bytes(2, signature);
  writer.bytes(3, weights);
  return writer.size();
}

Result<std::size_t> make_patch(const ModelSpec& model, std::uint32_t base_version, Bytes base,
                               Bytes to, MutableBytes out) {
  static std::array<std::uint8_t, 2 * kLargestMemory.weights_blob_bytes> difference;
  std::array<wire::LayerCounts, kMaxLayers> layers{};
  std::size_t layer_count = 0;
  for (const learn::FusedLayer& layer : learn::ParameterLayers(model)) {
    layers[layer_count++] = {.weights = layer.weight_count, .biases = layer.bias_count};
  }
  SKEP_ASSIGN_OR_RETURN(const wire::PackageHead old_head,
                        wire::read_model_package(SpanSource(base)));
  SKEP_ASSIGN_OR_RETURN(const wire::PackageHead new_head, wire::read_model_package(SpanSource(to)));
  SKEP_ASSIGN_OR_RETURN(
      const std::size_t length,
      wire::encode_difference(std::span(layers).first(layer_count),
                              base.subspan(old_head.weights_offset, old_head.weights_bytes),
                              to.subspan(new_head.weights_offset, new_head.weights_bytes),
                              difference));
  return wire::encode(wire::ModelPatch{.base_version = base_version,
                                       .manifest = new_head.manifest_view(),
                                       .signature = new_head.signature,
                                       .difference = Bytes(difference).first(length)},
                      out);
}

Result<model::VerifiedManifest> HashVerifier::verify_manifest(Bytes manifest, Bytes signature) {
  SKEP_ASSIGN_OR_RETURN(const seal::Signature expected, hash_signature(manifest));
  if (!std::equal(expected.begin(), expected.end(), signature.begin(), signature.end())) {
    return Status::kBadSignature;
  }
  SKEP_ASSIGN_OR_RETURN(const wire::ModelManifest decoded, wire::decode_model_manifest(manifest));
  return vouch_for(decoded);
}

Status HashVerifier::verify_digest(const ByteSource& content, Bytes digest) {
  SKEP_ASSIGN_OR_RETURN(const seal::Sha256Digest found, seal::sha256(content));
  return std::equal(found.begin(), found.end(), digest.begin(), digest.end()) ? Status::kOk
                                                                              : Status::kBadDigest;
}

}  // namespace skep::firmware_test
