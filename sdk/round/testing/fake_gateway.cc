#include "skep/round_testing/fake_gateway.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "skep/compress/decoder.h"
#include "skep/learn/engine.h"
#include "skep/learn/layers.h"
#include "skep/round_testing/reference_update.h"
#include "skep/seal/crypto.h"
#include "skep/seal/sha256.h"
#include "skep/version.h"
#include "skep/wire/patch_reader.h"
#include "skep/wire/problem.h"
#include "skep/wire/resources.h"
#include "skep/wire/response_code.h"
#include "skep/wire/weights_difference.h"

namespace skep::round_testing {
namespace {

constexpr char kDeviceName[] = "bee-1";

void require(Status status) {
  if (status != Status::kOk) abort_with(status);
}

template <typename Message>
Buffer encoded(const Message& message, std::size_t capacity) {
  Buffer bytes(capacity);
  bytes.resize(take(wire::encode(message, bytes)));
  return bytes;
}

Keys make_keys() {
  require(seal::initialize_crypto());
  seal::SigningKey device = take(seal::SigningKey::generate());
  Buffer scalar(seal::kSigningScalarBytes);
  require(device.export_private(scalar));
  return {take(seal::SigningKey::generate()), take(seal::SigningKey::generate()), std::move(device),
          scalar, take(seal::AggregationKey::generate(seal::Kem::kP256HkdfSha256))};
}

}  // namespace

void set_compression(wire::RoundPlan& plan, CompressionMode mode) {
  plan.compression = static_cast<skep_Compression>(mode);
  plan.keep_permille = has_keep_count(mode) ? 500 : 0;
  plan.value_bits = has_value_bits(mode) ? 8 : 0;
}

Status judge_delta(Bytes delta, std::uint32_t dimension, const wire::RoundPlan& plan,
                   const char* device) {
  const Norm clip_norm{.q16 = plan.clip_norm_q16};
  const compress::Options options =
      compress::options_for(wire::to_compression(plan), dimension,
                            compress::public_seed(plan.round, plan.base_digest, device), clip_norm);
  std::vector<std::int32_t> values(compress::decoded_elements(dimension, options.mode));
  SKEP_ASSIGN_OR_RETURN(const compress::Decoded decoded,
                        compress::decode(delta, dimension, options, values));
  return norm_at_most(decoded, clip_norm) ? Status::kOk : Status::kNormExceeded;
}

void abort_with(Status status) {
  std::fprintf(stderr, "test set-up failed: %s\n", to_string(status));
  std::abort();
}

const Keys& Keys::instance() {
  static const Keys keys = make_keys();
  return keys;
}

Buffer initial_weights(const ModelSpec& spec, std::uint32_t seed) {
  const learn::MemoryPlan memory_plan = take(learn::plan_memory(spec));
  std::vector<std::uint64_t> memory(memory_plan.inference_bytes / 8 + 1);
  learn::Engine engine = take(learn::Engine::create(spec, learn::Purpose::kInference,
                                                    std::as_writable_bytes(std::span(memory))));
  require(engine.initialize(seed));
  Buffer blob(memory_plan.weights_blob_bytes);
  require(engine.store(blob));
  return blob;
}

Buffer digest_of(Bytes content) {
  const seal::Sha256Digest digest = take(seal::sha256(content));
  return {digest.begin(), digest.end()};
}

wire::RoundPlan make_plan(std::uint32_t round, std::uint32_t base_version, Bytes base_digest) {
  wire::RoundPlan plan = reference_plan();
  std::ranges::copy(kFederation, plan.federation);
  plan.round = round;
  std::ranges::fill(plan.nonce, static_cast<std::uint8_t>(round));
  plan.base_version = base_version;
  std::ranges::copy(base_digest, plan.base_digest);
  plan.key_id = 3;
  const Bytes key = Keys::instance().aggregation.public_key();
  plan.aggregation_key.size = static_cast<pb_size_t>(key.size());
  std::ranges::copy(key, plan.aggregation_key.bytes);
  return plan;
}

Buffer sign_plan(const wire::RoundPlan& plan, const seal::SigningKey& key) {
  const Buffer bytes = encoded(plan, wire::kMaxRoundPlanBytes);
  const seal::Signature signature = take(key.sign(seal::Domain::kRoundPlan, bytes));
  return encoded(wire::SignedRoundPlan{bytes, signature}, wire::kMaxSignedRoundPlanBytes);
}

FakeGateway::FakeGateway(const ModelSpec& spec) : weights(initial_weights(spec)) {
  manifest.version = 1;
  std::ranges::copy(kFederation, manifest.federation);
  std::strcpy(manifest.model_name, "digits");
  manifest.model_version = 1;
  manifest.has_spec = true;
  manifest.spec = wire::from_model_spec(spec);
  manifest.has_evaluation = true;
  manifest.minimum_sdk_version = kSdkVersion;
  repack(Keys::instance().signing);
  plan = make_plan(1, 1, manifest.weights_digest);
}

void FakeGateway::repack(const seal::SigningKey& key) {
  std::ranges::copy(digest_of(weights), manifest.weights_digest);
  manifest.weights_bytes = static_cast<std::uint32_t>(weights.size());
  const Buffer bytes = encoded(manifest, wire::kMaxManifestBytes);
  const seal::Signature signature = take(key.sign(seal::Domain::kModelManifest, bytes));
  package = encoded(wire::ModelPackage{bytes, signature, weights},
                    weights.size() + wire::kMaxManifestBytes + 128);
}

void FakeGateway::release_next_model() {
  released_[manifest.model_version] = weights;
  ++manifest.model_version;
  weights = initial_weights(take(wire::to_model_spec(manifest.spec)), manifest.model_version);
  repack(Keys::instance().signing);
  plan.base_version = manifest.model_version;
  std::ranges::copy(manifest.weights_digest, plan.base_digest);
}

wire::DeviceCredentials FakeGateway::credentials() const {
  wire::DeviceCredentials credentials{};
  credentials.version = 1;
  std::ranges::copy(kFederation, credentials.federation);
  std::strcpy(credentials.device, kDeviceName);
  std::ranges::copy(Keys::instance().device_scalar, credentials.device_private_key);
  std::ranges::copy(take(Keys::instance().signing.public_key()), credentials.model_signing_key);
  return credentials;
}

void FakeGateway::announce() {
  if (observer_.has_value()) {
    queue_.push_back({*observer_, {.path = wire::kRoundPath, .observe = true}, 0});
  }
}

void FakeGateway::open_next_round() {
  ++plan.round;
  std::ranges::fill(plan.nonce, static_cast<std::uint8_t>(plan.round));
  announce();
}

void FakeGateway::drop_session() {
  if (state_ == transport::SessionState::kClosed) return;
  state_ = transport::SessionState::kClosed;
  const std::deque<Pending> lost = std::exchange(queue_, {});
  observer_.reset();
  for (const Pending& pending : lost) handler_->on_failure(pending.id, Status::kUnreachable);
}

Status FakeGateway::open(transport::ResponseHandler& handler) {
  close();
  handler_ = &handler;
  state_ = transport::SessionState::kHandshaking;
  ++sessions;
  return Status::kOk;
}

void FakeGateway::close() {
  queue_.clear();
  observer_.reset();
  state_ = transport::SessionState::kClosed;
}

Status FakeGateway::send(transport::RequestId id, const transport::Request& request) {
  if (state_ != transport::SessionState::kEstablished) return Status::kUnreachable;
  const bool under_way =
      std::ranges::any_of(queue_, [id](const Pending& pending) { return pending.id == id; });
  if (id >= transport::kMaxRequests || under_way) return Status::kInvalidArgument;
  ++requests;
  if (request.observe) observer_ = id;
  if (request.path == std::string(wire::kModelPath)) ++model_requests;
  queue_.push_back({id, request, 0});
  return Status::kOk;
}

void FakeGateway::cancel(transport::RequestId id) {
  std::erase_if(queue_, [id](const Pending& pending) { return pending.id == id; });
  if (observer_ == id) observer_.reset();
}

std::uint32_t FakeGateway::next_timeout_ms() {
  const bool has_work =
      state_ == transport::SessionState::kHandshaking || (!queue_.empty() && !faults.is_mute);
  return has_work ? 1 : UINT32_MAX;
}

void FakeGateway::poll() {
  if (state_ == transport::SessionState::kHandshaking) {
    state_ = faults.refuses_sessions ? transport::SessionState::kClosed
                                     : transport::SessionState::kEstablished;
    return;
  }
  if (state_ == transport::SessionState::kClosed || queue_.empty() || faults.is_mute) return;
  const Pending pending = queue_.front();
  queue_.pop_front();
  const std::string path = pending.request.path;
  if (path == wire::kRoundPath) {
    answer_plan(pending);
  } else if (path == wire::kModelPath) {
    answer_model(pending);
  } else if (path == wire::kUpdatesPath) {
    answer_update(pending);
  } else {
    respond_problem(pending.id, wire::response_code(Status::kNotFound), Status::kNotFound);
  }
}

void FakeGateway::respond(transport::RequestId id, const transport::Response& response) {
  handler_->on_response(id, response);
}

void FakeGateway::respond_problem(transport::RequestId id, std::uint8_t code, Status status) {
  const Buffer body =
      encoded(wire::make_problem(status, "as the test asked"), wire::kMaxProblemBytes);
  respond(id, {.code = code, .payload = body, .max_age_s = faults.max_age_s});
}

void FakeGateway::answer_plan(const Pending& pending) {
  if (!faults.plan_codes.empty()) {
    const std::uint8_t code = faults.plan_codes.front();
    faults.plan_codes.pop_front();
    observer_.reset();
    respond_problem(pending.id, code, Status::kBusy);
    return;
  }
  Buffer message = sign_plan(plan, Keys::instance().signing);
  if (faults.tamper_plan) faults.tamper_plan(message);
  respond(pending.id, {.code = transport::kContent, .payload = message});
}

std::optional<Buffer> FakeGateway::patch_from(std::uint32_t base_version) const {
  const auto base = released_.find(base_version);
  if (!serves_patches || base == released_.end() || base->second.size() != weights.size()) {
    return std::nullopt;
  }
  const ModelSpec spec = take(wire::to_model_spec(manifest.spec));
  std::vector<wire::LayerCounts> layers;
  for (const learn::FusedLayer& layer : learn::ParameterLayers(spec)) {
    layers.push_back({.weights = layer.weight_count, .biases = layer.bias_count});
  }
  Buffer difference(2 * weights.size());
  difference.resize(take(wire::encode_difference(layers, base->second, weights, difference)));
  const wire::PackageHead head = take(wire::read_model_package(SpanSource(package)));
  Buffer patch = encoded(wire::ModelPatch{.base_version = base_version,
                                          .manifest = head.manifest_view(),
                                          .signature = head.signature,
                                          .difference = difference},
                         difference.size() + wire::kMaxManifestBytes + 128);
  if (faults.tamper_patch) faults.tamper_patch(patch);
  return patch;
}

FakeGateway::Body FakeGateway::model_body(const char* query) {
  const auto etag = wire::model_etag(manifest.model_version, Bytes(manifest.weights_digest));
  const std::string text = query;
  const std::size_t from = text.find(wire::kBaseVersionQuery);
  if (from == std::string::npos) return {package, etag};
  const auto base_version = static_cast<std::uint32_t>(
      std::stoul(text.substr(from + std::string(wire::kBaseVersionQuery).size())));
  std::optional<Buffer> patch = patch_from(base_version);
  if (!patch) return {package, etag};
  return {*std::move(patch), wire::patch_etag(etag, base_version)};
}

void FakeGateway::answer_model(Pending pending) {
  if (faults.knows_no_patches && std::strstr(pending.request.query, wire::kBaseVersionQuery)) {
    respond_problem(pending.id, wire::response_code(Status::kInvalidArgument),
                    Status::kInvalidArgument);
    return;
  }
  if (!faults.model_codes.empty()) {
    const std::uint8_t code = faults.model_codes.front();
    faults.model_codes.pop_front();
    respond_problem(pending.id, code, Status::kBusy);
    return;
  }
  if (faults.breaks_at.has_value() && pending.offset >= *faults.breaks_at) {
    faults.breaks_at.reset();
    queue_.push_back(pending);
    drop_session();
    return;
  }
  auto [body, etag] = model_body(pending.request.query);
  if (faults.changes_etag_at.has_value() && pending.offset >= *faults.changes_etag_at) {
    faults.changes_etag_at.reset();
    etag.back() = static_cast<std::uint8_t>(etag.back() + 1);
  }
  const auto size = static_cast<std::uint32_t>(body.size());
  if (pending.offset == 0 && body[0] == wire::kModelPatchFirstByte) ++patches;
  const std::uint32_t end = std::min(faults.ends_at.value_or(size), size);
  const std::uint32_t length = std::min(faults.block_bytes, end - pending.offset);
  const std::uint32_t offset = pending.offset;
  const bool last = offset + length == end;
  pending.offset += length;
  model_bytes += length;
  if (!last) queue_.push_back(pending);
  respond(pending.id, {.code = transport::kContent,
                       .payload = Bytes(body).subspan(offset, length),
                       .offset = offset,
                       .total_bytes = faults.hides_total ? 0 : size,
                       .last = last,
                       .etag = etag});
}

void FakeGateway::answer_update(const Pending& pending) {
  if (!faults.upload_answers.empty()) {
    const auto [code, status] = faults.upload_answers.front();
    faults.upload_answers.pop_front();
    respond_problem(pending.id, code, status);
    return;
  }
  const Buffer sealed(pending.request.body.begin(), pending.request.body.end());
  const std::uint32_t duplicates_before = duplicates;
  refusal_ = judge(sealed);
  if (refusal_ != Status::kOk) {
    respond_problem(pending.id, wire::response_code(refusal_), refusal_);
    return;
  }
  wire::Receipt receipt{};
  receipt.version = 1;
  receipt.status = duplicates > duplicates_before ? skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE
                                                  : skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED;
  const wire::SealedUpdate update = take(wire::decode_sealed_update(sealed));
  receipt.round = take(wire::decode_update_header(update.header)).round;
  std::ranges::copy(digest_of(sealed), receipt.update_digest);
  if (faults.answers_wrong_digest) receipt.update_digest[0] ^= 1U;
  const Buffer body = encoded(receipt, wire::kMaxReceiptBytes);
  respond(pending.id, {.code = wire::kCodeChanged, .payload = body});
}

// The gateway's checks in the gateway's order: envelope, signature, replay, round, content, norm.
Status FakeGateway::judge(Bytes sealed) {
  SKEP_ASSIGN_OR_RETURN(const wire::SealedUpdate update, wire::decode_sealed_update(sealed));
  SKEP_ASSIGN_OR_RETURN(const wire::UpdateHeader header, wire::decode_update_header(update.header));
  const auto point = take(Keys::instance().device.public_key());
  SKEP_TRY(seal::verify_update_signature(update, take(seal::VerifyingKey::from_bytes(point))));
  if (const auto before = answered_.find(header.round); before != answered_.end()) {
    if (!std::ranges::equal(before->second, sealed)) return Status::kAlreadyAnswered;
    ++duplicates;
    return Status::kOk;
  }
  if (header.round != plan.round) return Status::kWrongRound;
  if (!std::ranges::equal(header.nonce, plan.nonce)) return Status::kWrongNonce;
  if (std::string(header.device) != kDeviceName) return Status::kWrongDevice;
  if (!std::ranges::equal(header.federation, kFederation)) return Status::kWrongFederation;
  Buffer plaintext(update.ciphertext.size());
  SKEP_ASSIGN_OR_RETURN(const wire::Update content,
                        seal::open_update(update, Keys::instance().aggregation, plaintext));
  if (!std::ranges::equal(content.base_digest,
                          Bytes(plan.base_digest).first(wire::kShortDigestBytes))) {
    return Status::kWrongBase;
  }
  const ModelSpec spec = take(wire::to_model_spec(manifest.spec));
  SKEP_TRY(judge_delta(content.delta, take(learn::plan_memory(spec)).trainable_count, plan,
                       kDeviceName));
  answered_[header.round] = {sealed.begin(), sealed.end()};
  received_.push_back({header.round,
                       header.base_version,
                       content.sample_count,
                       content.loss_before_q16,
                       content.loss_after_q16,
                       {content.delta.begin(), content.delta.end()}});
  return Status::kOk;
}

}  // namespace skep::round_testing
