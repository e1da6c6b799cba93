// Round trips of arbitrary valid messages, and arbitrary bytes.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "skep/wire/codec.h"
#include "skep/wire/problem.h"
#include "test_messages.h"

namespace skep::wire {
namespace {

using testing_messages::Buffer;
using testing_messages::Decoder;
using testing_messages::encoded;

// Any value of [low, high], the small and the largest ones often.
std::uint32_t any(std::uint32_t low, std::uint32_t high) {
  const std::uint64_t end = std::uint64_t{high} + 1;
  return static_cast<std::uint32_t>(*rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(low, end),
                                                    rc::gen::just<std::uint64_t>(low),
                                                    rc::gen::just<std::uint64_t>(high)));
}

Buffer any_bytes(std::size_t size) {
  return *rc::gen::container<Buffer>(size, rc::gen::arbitrary<std::uint8_t>());
}

template <std::size_t kSize>
void fill(pb_byte_t (&field)[kSize]) {
  const Buffer bytes = any_bytes(kSize);
  std::copy(bytes.begin(), bytes.end(), field);
}

template <std::size_t kSize>
void fill_name(char (&field)[kSize]) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  const auto name =
      *rc::gen::container<std::string>(any(1, kSize - 1), rc::gen::elementOf(letters));
  std::memcpy(field, name.data(), name.size());
}

bool equal(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

RoundPlan any_round_plan() {
  RoundPlan plan{};
  plan.version = any(1, kRoundPlanVersion);
  fill(plan.federation);
  plan.state =
      *rc::gen::element(skep_RoundState_ROUND_STATE_OPEN, skep_RoundState_ROUND_STATE_IDLE);
  plan.round = any(1, UINT32_MAX);
  fill(plan.nonce);
  plan.base_version = any(1, UINT32_MAX);
  fill(plan.base_digest);
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = any(1, 32767);
  plan.learning_rate_shift = any(0, 30);
  plan.local_epochs = any(1, 1000);
  plan.max_local_steps = any(0, UINT32_MAX);
  plan.batch_size = 1;
  plan.clip_norm_q16 = any(1, UINT32_MAX);
  plan.noise_multiplier_q16 = any(0, UINT32_MAX);
  if (plan.version > 1) {
    plan.compression = static_cast<skep_Compression>(any(1, 5));
    plan.momentum_q15 = any(0, 32767);
    plan.proximal_mu_q16 = any(0, 1U << 20U);
  }
  const CompressionMode mode = to_compression(plan).mode;
  plan.keep_permille = has_keep_count(mode) ? any(1, 1000) : 0;
  plan.value_bits = has_value_bits(mode) ? any(2, 16) : 0;
  plan.deadline_ms = any(0, UINT32_MAX);
  plan.key_id = any(0, UINT32_MAX);
  const bool p256 = *rc::gen::arbitrary<bool>();
  plan.kem = p256 ? skep_Kem_KEM_DHKEM_P256_HKDF_SHA256 : skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256;
  plan.aggregation_key.size = p256 ? kP256PointBytes : kX25519KeyBytes;
  fill(plan.aggregation_key.bytes);
  if (p256) plan.aggregation_key.bytes[0] = 4;
  return plan;
}

RC_GTEST_PROP(Property, RoundPlanIsReadBack, ()) {
  const RoundPlan plan = any_round_plan();
  const Result<RoundPlan> read = decode_round_plan(encoded(plan));
  RC_ASSERT(read.ok());
  RC_ASSERT(equal(read->federation, plan.federation));
  RC_ASSERT(read->state == plan.state);
  RC_ASSERT(read->round == plan.round);
  RC_ASSERT(equal(read->nonce, plan.nonce));
  RC_ASSERT(read->base_version == plan.base_version);
  RC_ASSERT(equal(read->base_digest, plan.base_digest));
  RC_ASSERT(read->learning_rate_mantissa == plan.learning_rate_mantissa);
  RC_ASSERT(read->learning_rate_shift == plan.learning_rate_shift);
  RC_ASSERT(read->local_epochs == plan.local_epochs);
  RC_ASSERT(read->max_local_steps == plan.max_local_steps);
  RC_ASSERT(read->clip_norm_q16 == plan.clip_norm_q16);
  RC_ASSERT(read->noise_multiplier_q16 == plan.noise_multiplier_q16);
  RC_ASSERT(read->keep_permille == plan.keep_permille);
  RC_ASSERT(read->value_bits == plan.value_bits);
  RC_ASSERT(read->deadline_ms == plan.deadline_ms);
  RC_ASSERT(read->compression == plan.compression);
  RC_ASSERT(read->momentum_q15 == plan.momentum_q15);
  RC_ASSERT(read->proximal_mu_q16 == plan.proximal_mu_q16);
  RC_ASSERT(to_compression(*read).mode == to_compression(plan).mode);
  RC_ASSERT(read->key_id == plan.key_id);
  RC_ASSERT(read->kem == plan.kem);
  RC_ASSERT(equal(bytes_of(read->aggregation_key), bytes_of(plan.aggregation_key)));
}

RC_GTEST_PROP(Property, UpdateHeaderIsReadBack, ()) {
  UpdateHeader header = testing_messages::update_header();
  fill(header.federation);
  std::memset(header.device, 0, sizeof(header.device));
  fill_name(header.device);
  header.round = any(1, UINT32_MAX);
  header.base_version = any(1, UINT32_MAX);
  fill(header.nonce);
  header.key_id = any(0, UINT32_MAX);
  const Result<UpdateHeader> read = decode_update_header(encoded(header));
  RC_ASSERT(read.ok());
  RC_ASSERT(equal(read->federation, header.federation));
  RC_ASSERT(std::string(read->device) == header.device);
  RC_ASSERT(read->round == header.round);
  RC_ASSERT(read->base_version == header.base_version);
  RC_ASSERT(equal(read->nonce, header.nonce));
  RC_ASSERT(read->key_id == header.key_id);
}

RC_GTEST_PROP(Property, SealedUpdateIsReadBack, ()) {
  const Buffer header = any_bytes(any(1, kMaxUpdateHeaderBytes));
  const Buffer enc = any_bytes(*rc::gen::element(kP256PointBytes, kX25519KeyBytes));
  const Buffer ciphertext = any_bytes(any(kAeadTagBytes + 1, 2000));
  const Buffer signature = any_bytes(kSignatureBytes);
  const Buffer bytes = encoded(SealedUpdate{header, enc, ciphertext, signature});
  const Result<SealedUpdate> read = decode_sealed_update(bytes);
  RC_ASSERT(read.ok());
  RC_ASSERT(equal(read->header, header));
  RC_ASSERT(equal(read->enc, enc));
  RC_ASSERT(equal(read->ciphertext, ciphertext));
  RC_ASSERT(equal(read->signature, signature));
  const std::size_t offset = sealed_ciphertext_offset(header.size(), enc.size(), ciphertext.size());
  RC_ASSERT(read->ciphertext.data() == bytes.data() + offset);
}

RC_GTEST_PROP(Property, UpdateIsReadBack, ()) {
  const Buffer digest = any_bytes(kShortDigestBytes);
  const Buffer delta = any_bytes(any(1, 2000));
  const Update update{digest, any(1, kMaxSampleCount), any(0, UINT32_MAX), any(0, UINT32_MAX),
                      delta};
  const Buffer bytes = encoded(update);
  const Result<Update> read = decode_update(bytes);
  RC_ASSERT(read.ok());
  RC_ASSERT(equal(read->base_digest, digest));
  RC_ASSERT(read->sample_count == update.sample_count);
  RC_ASSERT(read->loss_before_q16 == update.loss_before_q16);
  RC_ASSERT(read->loss_after_q16 == update.loss_after_q16);
  RC_ASSERT(equal(read->delta, delta));
  RC_ASSERT(read->delta.data() == bytes.data() + update_delta_offset(update));
}

RC_GTEST_PROP(Property, ModelPackageIsReadBack, ()) {
  const Buffer manifest = any_bytes(any(1, kMaxManifestBytes));
  const Buffer signature = any_bytes(kSignatureBytes);
  const Buffer weights = any_bytes(any(1, 2000));
  const Buffer bytes = encoded(ModelPackage{manifest, signature, weights});
  const Result<PackageHead> head = read_model_package(SpanSource(bytes));
  RC_ASSERT(head.ok());
  RC_ASSERT(equal(head->manifest_view(), manifest));
  RC_ASSERT(equal(head->signature, signature));
  RC_ASSERT(equal(Bytes(bytes).subspan(head->weights_offset, head->weights_bytes), weights));
}

Window any_window(const Shape& input, bool padded) {
  const auto up_to = [](std::uint32_t high) {
    return static_cast<std::uint8_t>(any(1, std::min<std::uint32_t>(high, 255)));
  };
  Window window{.height = up_to(input.height),
                .width = up_to(input.width),
                .stride_height = up_to(255),
                .stride_width = up_to(255)};
  if (padded) {
    window.pad_top = static_cast<std::uint8_t>(any(0, window.height - 1U));
    window.pad_bottom = static_cast<std::uint8_t>(any(0, window.height - 1U));
    window.pad_left = static_cast<std::uint8_t>(any(0, window.width - 1U));
    window.pad_right = static_cast<std::uint8_t>(any(0, window.width - 1U));
  }
  return window;
}

// A layer that `input` can go into.
LayerSpec any_layer(const Shape& input) {
  const auto first = input.positions() == 1 ? LayerKind::kDense : LayerKind::kRelu;
  LayerSpec layer{static_cast<LayerKind>(any(static_cast<std::uint32_t>(first),
                                             static_cast<std::uint32_t>(LayerKind::kTanh))),
                  input.channels};
  if (layer.kind == LayerKind::kDense || layer.kind == LayerKind::kConv) {
    layer.outputs = static_cast<std::uint16_t>(any(1, 20));
  }
  if (layer.kind == LayerKind::kFlatten) layer.outputs = static_cast<std::uint16_t>(input.size());
  if (has_window(layer.kind)) layer.window = any_window(input, has_parameters(layer.kind));
  if (layer.kind == LayerKind::kLeakyRelu) {
    layer.negative_slope_q15 = static_cast<std::uint16_t>(any(1, 32767));
  }
  return layer;
}

RC_GTEST_PROP(Property, ModelPatchIsReadBack, ()) {
  const Buffer manifest = any_bytes(any(1, kMaxManifestBytes));
  const Buffer signature = any_bytes(kSignatureBytes);
  const Buffer difference = any_bytes(any(1, 2000));
  const std::uint32_t base_version = any(1, UINT32_MAX);
  const Buffer bytes = encoded(ModelPatch{base_version, manifest, signature, difference});
  const Result<ModelPatch> read = decode_model_patch(bytes);
  RC_ASSERT(read.ok());
  RC_ASSERT(read->base_version == base_version);
  RC_ASSERT(equal(read->manifest, manifest));
  RC_ASSERT(equal(read->signature, signature));
  RC_ASSERT(equal(read->difference, difference));
}

RC_GTEST_PROP(Property, ModelSpecIsReadBack, ()) {
  ModelSpec spec;
  spec.input_height = static_cast<std::uint16_t>(any(1, 20));
  spec.input_width = static_cast<std::uint16_t>(any(1, 20));
  spec.inputs = static_cast<std::uint16_t>(spec.input_height * spec.input_width * any(1, 8));
  spec.input_exponent = static_cast<std::int8_t>(*rc::gen::inRange(-30, 16));
  spec.loss = static_cast<Loss>(any(1, 3));
  const std::uint32_t layers = any(1, kMaxLayers);
  Shape shape = spec.input_shape();
  for (std::uint32_t i = 0; i < layers; ++i) {
    const LayerSpec layer = any_layer(shape);
    const Result<Shape> next = output_shape(layer, shape);
    if (next.status() == Status::kTooLarge) break;
    RC_ASSERT(next.ok());
    shape = *next;
    spec.layers[spec.layer_count++] = layer;
  }
  RC_PRE(spec.layer_count > 0);
  spec.frozen_layers = static_cast<std::uint8_t>(any(0, spec.layer_count));
  ModelManifest manifest = testing_messages::model_manifest();
  manifest.spec = from_model_spec(spec);
  const Result<ModelManifest> read = decode_model_manifest(encoded(manifest));
  RC_ASSERT(read.ok());
  const Result<ModelSpec> back = to_model_spec(read->spec);
  RC_ASSERT(back.ok());
  RC_ASSERT(*back == spec);
}

RC_GTEST_PROP(Property, ProblemOfAnyTextIsReadBack, (const std::string& text)) {
  const Problem problem = make_problem(Status::kBusy, text.c_str());
  const Result<Problem> read = decode_problem(encoded(problem));
  RC_ASSERT(read.ok());
  RC_ASSERT(status_of(*read) == Status::kBusy);
  RC_ASSERT(std::string(read->detail) == problem.detail);
}

RC_GTEST_PROP(Property, AlteredMessagesAreRefusedOrAreOtherMessages, ()) {
  const Decoder decoder = *rc::gen::elementOf(testing_messages::decoders());
  Buffer bytes = decoder.valid;
  const std::uint32_t changes = any(1, 4);
  for (std::uint32_t i = 0; i < changes; ++i) {
    bytes.at(any(0, static_cast<std::uint32_t>(bytes.size() - 1))) =
        *rc::gen::arbitrary<std::uint8_t>();
  }
  if (decoder.decode(bytes) == Status::kOk) RC_ASSERT(decoder.reencode(bytes) == bytes);
}

RC_GTEST_PROP(Property, ArbitraryBytesAreSafe, (const Buffer& bytes)) {
  for (const Decoder& decoder : testing_messages::decoders()) {
    if (decoder.decode(bytes) == Status::kOk) RC_ASSERT(decoder.reencode(bytes) == bytes);
  }
}

}  // namespace
}  // namespace skep::wire
