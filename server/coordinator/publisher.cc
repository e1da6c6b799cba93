#include "publisher.h"

#include <algorithm>

#include "skep/learn/memory_plan.h"
#include "skep/release/step.h"
#include "skep/seal/sha256.h"

namespace skep::coordinator {
namespace {

seal::VerifyingKey verifying_key_of(const seal::SigningKey& key) {
  const auto point = key.public_key();
  if (!point.ok()) throw CoordinatorError(point.status(), "the signing key is unusable");
  const auto verifying = seal::VerifyingKey::from_bytes(*point);
  if (!verifying.ok()) throw CoordinatorError(verifying.status(), "the signing key is unusable");
  return *verifying;
}

template <typename T>
T require(Result<T> result, const char* what) {
  if (!result.ok()) {
    throw CoordinatorError(result.status(), std::string(what) + ": " + to_string(result.status()));
  }
  return *std::move(result);
}

bool is_less_often_right(const wire::EvaluationMetrics& candidate,
                         const wire::EvaluationMetrics& base, std::uint32_t margin_permille) {
  const std::int64_t drop =
      std::int64_t{base.correct_count} - std::int64_t{candidate.correct_count};
  return drop * 1000 > std::int64_t{margin_permille} * std::int64_t{candidate.sample_count};
}

bool has_higher_loss(const wire::EvaluationMetrics& candidate, const wire::EvaluationMetrics& base,
                     std::uint32_t margin_permille) {
  return std::uint64_t{candidate.mean_loss_q16} * 1000 >
         std::uint64_t{base.mean_loss_q16} * (1000 + margin_permille);
}

}  // namespace

Publisher::Publisher(const Settings& settings, const seal::SigningKey& key,
                     const store::FederationId& federation, const std::string& model_name)
    : settings_(settings),
      signing_key_(key),
      verifying_key_(verifying_key_of(key)),
      federation_(federation),
      model_name_(model_name) {}

Base Publisher::load_base(const store::Model& model) {
  release::OpenedPackage opened = release::open_package(model.package, verifying_key_);
  Base base;
  base.version = model.version;
  base.spec = opened.spec;
  base.parameter_count = require(learn::plan_memory(opened.spec), "model").trainable_count;
  base.weights = std::move(opened.weights);
  std::ranges::copy(opened.manifest.weights_digest, base.weights_digest.begin());
  base.evaluation = evaluate(base.spec, base.weights);
  base.package = std::make_shared<const std::vector<std::uint8_t>>(model.package);
  return base;
}

Base Publisher::to_base(const server::Candidate& candidate, const server::Release& release) {
  Base base;
  base.version = release.version();
  base.spec = candidate.spec();
  base.parameter_count = require(learn::plan_memory(base.spec), "model").trainable_count;
  base.weights.assign(candidate.weights().begin(), candidate.weights().end());
  base.weights_digest = require(seal::sha256(base.weights), "hashing the weights");
  base.evaluation = release.evaluation();
  base.package = std::make_shared<const std::vector<std::uint8_t>>(release.package());
  return base;
}

server::Candidate Publisher::candidate_from_own(Bytes package) {
  release::OpenedPackage opened = release::open_package(package, verifying_key_);
  server::Candidate candidate;
  candidate.spec_ = opened.spec;
  candidate.weights_ = std::move(opened.weights);
  candidate.contributor_count_ = opened.manifest.contributor_count;
  return candidate;
}

server::Candidate Publisher::candidate_from_foreign(Bytes package) {
  const auto head = require(wire::read_model_package(SpanSource(package)), "package");
  const auto manifest = require(wire::decode_model_manifest(head.manifest_view()), "manifest");
  const Bytes weights = package.subspan(head.weights_offset, head.weights_bytes);
  const auto digest = require(seal::sha256(weights), "hashing the weights");
  if (!std::ranges::equal(digest, manifest.weights_digest)) {
    throw CoordinatorError(Status::kBadDigest, "the weights are not those of the manifest");
  }
  server::Candidate candidate;
  candidate.spec_ = require(wire::to_model_spec(manifest.spec), "model");
  candidate.weights_.assign(weights.begin(), weights.end());
  candidate.contributor_count_ = manifest.contributor_count;
  return candidate;
}

server::Candidate Publisher::quantise_step(server::Candidate candidate, const Base& base) const {
  if (settings_.step_bits == 0) return candidate;
  candidate.weights_ = release::quantise_step(candidate.spec_, base.weights, candidate.weights_,
                                              settings_.step_bits);
  return candidate;
}

server::Release Publisher::publish(const server::Candidate& candidate, const Base& base,
                                   const Edition& edition) {
  server::Release release;
  release.version_ = edition.version;
  release.evaluation_ = evaluate(candidate.spec(), candidate.weights());
  release.accepted_ = edition.force || !is_worse(candidate.spec(), release.evaluation_, base);
  release.package_ = release::build_package({.federation = federation_,
                                             .model_name = model_name_,
                                             .model_version = edition.version,
                                             .rolls_back_to = edition.rolls_back_to,
                                             .round = edition.round,
                                             .spec = candidate.spec(),
                                             .contributor_count = candidate.contributor_count(),
                                             .evaluation = release.evaluation_,
                                             .created_unix_s = static_cast<std::uint64_t>(
                                                 std::max<std::int64_t>(0, edition.created_unix_s)),
                                             .expires_unix_s = 0},
                                            candidate.weights(), signing_key_);
  return release;
}

wire::EvaluationMetrics Publisher::evaluate(const ModelSpec& spec, Bytes weights) {
  if (settings_.hold_out.empty()) return {};
  return release::evaluate(spec, weights, hold_out_for(spec));
}

const release::HoldOut& Publisher::hold_out_for(const ModelSpec& spec) {
  const std::array<int, 4> shape{spec.inputs, spec.input_exponent, spec.outputs(),
                                 static_cast<int>(spec.loss)};
  if (!hold_out_ || hold_out_shape_ != shape) {
    hold_out_.emplace(release::load_hold_out(settings_.hold_out, spec));
    hold_out_shape_ = shape;
  }
  return *hold_out_;
}

bool Publisher::is_worse(const ModelSpec& spec, const wire::EvaluationMetrics& candidate,
                         const Base& base) const {
  const std::uint32_t margin = settings_.max_accuracy_drop_permille;
  if (release::has_accuracy(spec.loss) && release::has_accuracy(base.spec.loss)) {
    return is_less_often_right(candidate, base.evaluation, margin);
  }
  // Losses of another kind cannot be compared.
  return spec.loss == base.spec.loss && has_higher_loss(candidate, base.evaluation, margin);
}

}  // namespace skep::coordinator
