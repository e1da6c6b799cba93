// Every released version of every message can still be read, and is written with the same bytes.
#include <gtest/gtest.h>

#include <string_view>

#include "skep/wire/codec.h"
#include "skep/wire/problem.h"
#include "vector_file.h"

namespace skep::wire {
namespace {

using Buffer = std::vector<std::uint8_t>;

// The vectors' byte strings count upwards.
Buffer counting(unsigned first, std::size_t size) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

Buffer prefixed(std::uint8_t prefix, Buffer rest) {
  rest.insert(rest.begin(), prefix);
  return rest;
}

Buffer copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

template <typename Message>
Buffer encoded(const Message& message) {
  Buffer out(4096);
  const Result<std::size_t> size = encode(message, out);
  EXPECT_TRUE(size.ok()) << to_string(size.status());
  out.resize(size.ok() ? *size : 0);
  return out;
}

const Buffer kFederation = counting(0x01, 8);
const Buffer kNonce = counting(0xa0, 16);

TEST(WireVectors, RoundPlan) {
  const Buffer bytes = read_vector("round_plan_v1");
  const Result<RoundPlan> plan = decode_round_plan(bytes);
  ASSERT_TRUE(plan.ok()) << to_string(plan.status());
  EXPECT_EQ(plan->version, 1U);
  EXPECT_EQ(copy(plan->federation), kFederation);
  EXPECT_EQ(plan->state, skep_RoundState_ROUND_STATE_OPEN);
  EXPECT_EQ(plan->round, 20U);
  EXPECT_EQ(copy(plan->nonce), kNonce);
  EXPECT_EQ(plan->base_version, 19U);
  EXPECT_EQ(copy(plan->base_digest), counting(0x10, 32));
  EXPECT_EQ(plan->mode, skep_RoundMode_ROUND_MODE_PLAIN);
  EXPECT_EQ(plan->learning_rate_mantissa, 1638U);
  EXPECT_EQ(plan->learning_rate_shift, 15U);
  EXPECT_EQ(plan->local_epochs, 5U);
  EXPECT_EQ(plan->max_local_steps, 400U);
  EXPECT_EQ(plan->batch_size, 1U);
  EXPECT_EQ(plan->clip_norm_q16, 131072U);
  EXPECT_EQ(plan->noise_multiplier_q16, 72090U);
  EXPECT_EQ(plan->keep_permille, 100U);
  EXPECT_EQ(plan->value_bits, 12U);
  EXPECT_EQ(plan->deadline_ms, 600000U);
  EXPECT_EQ(plan->key_id, 3U);
  EXPECT_EQ(plan->kem, skep_Kem_KEM_DHKEM_P256_HKDF_SHA256);
  EXPECT_EQ(copy(bytes_of(plan->aggregation_key)), prefixed(4, counting(0x40, 64)));
  EXPECT_EQ(encoded(*plan), bytes);
}

TEST(WireVectors, RoundPlanOfVersion1IsTopKWithoutMomentum) {
  const Result<RoundPlan> plan = decode_round_plan(read_vector("round_plan_v1"));
  ASSERT_TRUE(plan.ok()) << to_string(plan.status());
  const Compression compression = to_compression(*plan);
  EXPECT_EQ(compression.mode, CompressionMode::kTopK);
  EXPECT_EQ(compression.keep_permille, 100U);
  EXPECT_EQ(compression.value_bits, 12U);
  EXPECT_EQ(plan->momentum_q15, 0U);
  EXPECT_EQ(plan->proximal_mu_q16, 0U);
}

TEST(WireVectors, RoundPlanOfVersion2) {
  const Buffer bytes = read_vector("round_plan_v2");
  const Result<RoundPlan> plan = decode_round_plan(bytes);
  ASSERT_TRUE(plan.ok()) << to_string(plan.status());
  EXPECT_EQ(plan->version, 2U);
  EXPECT_EQ(plan->keep_permille, 50U);
  EXPECT_EQ(plan->value_bits, 0U);
  EXPECT_EQ(plan->compression, skep_Compression_COMPRESSION_TERNARY);
  EXPECT_EQ(plan->momentum_q15, 29491U);
  EXPECT_EQ(plan->proximal_mu_q16, 655U);
  EXPECT_EQ(to_compression(*plan).mode, CompressionMode::kTernary);
  EXPECT_EQ(copy(bytes_of(plan->aggregation_key)), prefixed(4, counting(0x40, 64)));
  EXPECT_EQ(encoded(*plan), bytes);
}

TEST(WireVectors, RoundPlanWithEveryDefaultLeftOut) {
  const Buffer bytes = read_vector("round_plan_v1_minimal");
  const Result<RoundPlan> plan = decode_round_plan(bytes);
  ASSERT_TRUE(plan.ok()) << to_string(plan.status());
  EXPECT_EQ(copy(plan->federation), Buffer(8));
  EXPECT_EQ(plan->state, skep_RoundState_ROUND_STATE_IDLE);
  EXPECT_EQ(copy(plan->nonce), Buffer(16));
  EXPECT_EQ(copy(plan->base_digest), Buffer(32));
  EXPECT_EQ(plan->learning_rate_shift, 0U);
  EXPECT_EQ(plan->max_local_steps, 0U);
  EXPECT_EQ(plan->noise_multiplier_q16, 0U);
  EXPECT_EQ(plan->deadline_ms, 0U);
  EXPECT_EQ(plan->key_id, 0U);
  EXPECT_EQ(plan->kem, skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256);
  EXPECT_EQ(copy(bytes_of(plan->aggregation_key)), counting(0x80, 32));
  EXPECT_EQ(encoded(*plan), bytes);
}

TEST(WireVectors, SignedRoundPlan) {
  const Buffer bytes = read_vector("signed_round_plan_v1");
  const Result<SignedRoundPlan> message = decode_signed_round_plan(bytes);
  ASSERT_TRUE(message.ok()) << to_string(message.status());
  EXPECT_EQ(copy(message->plan), read_vector("round_plan_v1"));
  EXPECT_EQ(copy(message->signature), counting(0xc0, 64));
  EXPECT_EQ(encoded(*message), bytes);
}

TEST(WireVectors, UpdateHeader) {
  const Buffer bytes = read_vector("update_header_v1");
  const Result<UpdateHeader> header = decode_update_header(bytes);
  ASSERT_TRUE(header.ok()) << to_string(header.status());
  EXPECT_EQ(header->version, 1U);
  EXPECT_EQ(copy(header->federation), kFederation);
  EXPECT_STREQ(header->device, "device-07");
  EXPECT_EQ(header->round, 20U);
  EXPECT_EQ(header->base_version, 19U);
  EXPECT_EQ(copy(header->nonce), kNonce);
  EXPECT_EQ(header->key_id, 3U);
  EXPECT_EQ(header->format, kUpdateFormat);
  EXPECT_EQ(encoded(*header), bytes);
}

TEST(WireVectors, SealedUpdate) {
  const Buffer bytes = read_vector("sealed_update_v1");
  const Result<SealedUpdate> sealed = decode_sealed_update(bytes);
  ASSERT_TRUE(sealed.ok()) << to_string(sealed.status());
  EXPECT_EQ(copy(sealed->header), read_vector("update_header_v1"));
  EXPECT_EQ(copy(sealed->enc), prefixed(4, counting(0x20, 64)));
  EXPECT_EQ(copy(sealed->ciphertext), counting(0x60, 40));
  EXPECT_EQ(copy(sealed->signature), counting(0xb0, 64));
  EXPECT_EQ(encoded(*sealed), bytes);
}

TEST(WireVectors, Update) {
  const Buffer bytes = read_vector("update_v1");
  const Result<Update> update = decode_update(bytes);
  ASSERT_TRUE(update.ok()) << to_string(update.status());
  EXPECT_EQ(copy(update->base_digest), counting(0x10, 16));
  EXPECT_EQ(update->sample_count, 72U);
  EXPECT_EQ(update->loss_before_q16, 150906U);
  EXPECT_EQ(update->loss_after_q16, 32768U);
  EXPECT_EQ(copy(update->delta), counting(0x90, 24));
  EXPECT_EQ(encoded(*update), bytes);
}

TEST(WireVectors, Receipt) {
  const Buffer bytes = read_vector("receipt_v1");
  const Result<Receipt> receipt = decode_receipt(bytes);
  ASSERT_TRUE(receipt.ok()) << to_string(receipt.status());
  EXPECT_EQ(receipt->version, 1U);
  EXPECT_EQ(receipt->status, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE);
  EXPECT_EQ(receipt->round, 20U);
  EXPECT_EQ(copy(receipt->update_digest), counting(0x30, 32));
  EXPECT_EQ(encoded(*receipt), bytes);
}

TEST(WireVectors, ModelManifest) {
  const Buffer bytes = read_vector("model_manifest_v1");
  const Result<ModelManifest> manifest = decode_model_manifest(bytes);
  ASSERT_TRUE(manifest.ok()) << to_string(manifest.status());
  EXPECT_EQ(manifest->version, 1U);
  EXPECT_EQ(copy(manifest->federation), kFederation);
  EXPECT_STREQ(manifest->model_name, "digits-mlp");
  EXPECT_EQ(manifest->model_version, 21U);
  EXPECT_EQ(manifest->rolls_back_to, 18U);
  EXPECT_EQ(manifest->round, 20U);
  EXPECT_EQ(copy(manifest->weights_digest), counting(0x70, 32));
  EXPECT_EQ(manifest->weights_bytes, 4824U);
  EXPECT_EQ(manifest->contributor_count, 18U);
  EXPECT_EQ(manifest->evaluation.sample_count, 360U);
  EXPECT_EQ(manifest->evaluation.correct_count, 346U);
  EXPECT_EQ(manifest->evaluation.mean_loss_q16, 9175U);
  EXPECT_EQ(manifest->epsilon_q32, 13743895347U);
  EXPECT_EQ(manifest->delta_q63, 92233720368548U);
  EXPECT_EQ(manifest->minimum_sdk_version, 0x000100U);
  EXPECT_EQ(manifest->created_unix_s, 1795219200U);
  EXPECT_EQ(manifest->expires_unix_s, 1826755200U);
  EXPECT_EQ(encoded(*manifest), bytes);
}

TEST(WireVectors, ModelSpecOfTheManifest) {
  const Result<ModelManifest> manifest = decode_model_manifest(read_vector("model_manifest_v1"));
  ASSERT_TRUE(manifest.ok()) << to_string(manifest.status());
  const Result<ModelSpec> spec = to_model_spec(manifest->spec);
  ASSERT_TRUE(spec.ok()) << to_string(spec.status());
  EXPECT_EQ(spec->inputs, 64);
  EXPECT_EQ(spec->input_exponent, -4);
  EXPECT_EQ(spec->loss, Loss::kSoftmaxCrossEntropy);
  ASSERT_EQ(spec->layer_count, 3);
  EXPECT_EQ(spec->layers[0], (LayerSpec{LayerKind::kDense, 32}));
  EXPECT_EQ(spec->layers[1], (LayerSpec{LayerKind::kRelu, 32}));
  EXPECT_EQ(spec->layers[2], (LayerSpec{LayerKind::kDense, 10}));
}

TEST(WireVectors, ModelSpecOfVersion2) {
  const Buffer bytes = read_vector("model_manifest_v1_spec_v2");
  const Result<ModelManifest> manifest = decode_model_manifest(bytes);
  ASSERT_TRUE(manifest.ok()) << to_string(manifest.status());
  ModelSpec expected;
  expected.inputs = 360;
  expected.input_height = 12;
  expected.input_width = 10;
  expected.input_exponent = -8;
  expected.loss = Loss::kBinaryCrossEntropy;
  expected.frozen_layers = 2;
  expected.layer_count = 4;
  expected.layers[0] = {LayerKind::kConv, 6, {3, 4, 2, 1, 1, 2, 3, 1}};
  expected.layers[1] = {.kind = LayerKind::kLeakyRelu, .outputs = 6, .negative_slope_q15 = 328};
  expected.layers[2] = {LayerKind::kGlobalAveragePool, 6};
  expected.layers[3] = {LayerKind::kDense, 5};
  EXPECT_EQ(*to_model_spec(manifest->spec), expected);
  EXPECT_EQ(encoded(*manifest), bytes);
}

TEST(WireVectors, ModelPackage) {
  const Buffer bytes = read_vector("model_package_v1");
  const Result<PackageHead> head = read_model_package(SpanSource(bytes));
  ASSERT_TRUE(head.ok()) << to_string(head.status());
  EXPECT_EQ(copy(head->manifest_view()), read_vector("model_manifest_v1"));
  EXPECT_EQ(copy(head->signature), counting(0xd0, 64));
  const Bytes weights = Bytes(bytes).subspan(head->weights_offset, head->weights_bytes);
  EXPECT_EQ(copy(weights), counting(0x05, 20));
  EXPECT_EQ(encoded(ModelPackage{head->manifest_view(), head->signature, weights}), bytes);
}

TEST(WireVectors, ModelPatch) {
  const Buffer bytes = read_vector("model_patch_v1");
  const Result<ModelPatch> patch = decode_model_patch(bytes);
  ASSERT_TRUE(patch.ok()) << to_string(patch.status());
  EXPECT_EQ(patch->base_version, 19U);
  EXPECT_EQ(copy(patch->manifest), read_vector("model_manifest_v1"));
  EXPECT_EQ(copy(patch->signature), counting(0xd0, 64));
  // The example of proto/weights_difference_test.cc.
  EXPECT_EQ(copy(patch->difference),
            (Buffer{0x01, 0x04, 0x00, 0x00, 0xc0, 0x00, 0x04, 0x43, 0xb9, 0x00, 0xc0}));
  EXPECT_EQ(encoded(*patch), bytes);
}

TEST(WireVectors, Problem) {
  const Buffer bytes = read_vector("problem_v1");
  const Result<Problem> problem = decode_problem(bytes);
  ASSERT_TRUE(problem.ok()) << to_string(problem.status());
  EXPECT_EQ(problem->version, 1U);
  EXPECT_EQ(problem->code, 15U);
  EXPECT_EQ(status_of(*problem), Status::kWrongRound);
  EXPECT_STREQ(problem->detail, "round 19 is closed, the open one is 20");
  EXPECT_EQ(encoded(*problem), bytes);
  EXPECT_EQ(encoded(make_problem(Status::kWrongRound, problem->detail)), bytes);
}

TEST(WireVectors, GatewayTime) {
  const Buffer bytes = read_vector("gateway_time_v1");
  const Result<GatewayTime> time = decode_gateway_time(bytes);
  ASSERT_TRUE(time.ok()) << to_string(time.status());
  EXPECT_EQ(time->version, 1U);
  EXPECT_EQ(copy(time->federation), kFederation);
  EXPECT_EQ(copy(time->nonce), kNonce);
  EXPECT_EQ(time->unix_s, 1795305600U);
  EXPECT_EQ(encoded(*time), bytes);
}

TEST(WireVectors, SignedTime) {
  const Buffer bytes = read_vector("signed_time_v1");
  const Result<SignedTime> message = decode_signed_time(bytes);
  ASSERT_TRUE(message.ok()) << to_string(message.status());
  EXPECT_EQ(copy(message->time), read_vector("gateway_time_v1"));
  EXPECT_EQ(copy(message->signature), counting(0xc0, 64));
  EXPECT_EQ(encoded(*message), bytes);
}

TEST(WireVectors, DeviceCredentials) {
  const Buffer bytes = read_vector("device_credentials_v1");
  const Result<DeviceCredentials> credentials = decode_device_credentials(bytes);
  ASSERT_TRUE(credentials.ok()) << to_string(credentials.status());
  EXPECT_EQ(credentials->version, 1U);
  EXPECT_EQ(copy(credentials->federation), kFederation);
  EXPECT_STREQ(credentials->device, "device-07");
  EXPECT_EQ(copy(bytes_of(credentials->ca_certificate)), prefixed('0', counting(0x11, 19)));
  EXPECT_EQ(copy(bytes_of(credentials->device_certificate)), prefixed('0', counting(0x22, 23)));
  EXPECT_EQ(copy(credentials->device_private_key), counting(0x51, 32));
  EXPECT_EQ(copy(credentials->model_signing_key), prefixed(4, counting(0x61, 64)));
  EXPECT_STREQ(credentials->gateway_host, "127.0.0.1");
  EXPECT_EQ(credentials->gateway_port, 5684U);
  EXPECT_EQ(encoded(*credentials), bytes);
}

}  // namespace
}  // namespace skep::wire
