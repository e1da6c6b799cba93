#include "test_messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace skep::wire::testing_messages {
namespace {

template <std::size_t kSize>
void fill(pb_byte_t (&field)[kSize], std::uint8_t first) {
  for (std::size_t i = 0; i < kSize; ++i) field[i] = static_cast<std::uint8_t>(first + i);
}

Bytes pattern(std::size_t size) {
  static const auto kPattern = [] {
    std::array<std::uint8_t, 256> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(4 + i);
    return bytes;
  }();
  return Bytes(kPattern).first(size);
}

// How a message is read for the tests that do not care which it is.
template <typename Message>
struct Codec {
  std::function<Result<Message>(Bytes)> decode;
  std::size_t max_bytes;
  bool has_version;
};

template <typename Message>
Decoder make_decoder(std::string name, const Message& message, const Codec<Message>& codec) {
  Decoder decoder;
  decoder.name = std::move(name);
  decoder.has_version = codec.has_version;
  decoder.max_bytes = codec.max_bytes;
  decoder.valid = encoded(message);
  decoder.decode = [codec](Bytes bytes) { return codec.decode(bytes).status(); };
  decoder.reencode = [codec](Bytes bytes) { return encoded(*codec.decode(bytes)); };
  decoder.encode_valid_into = [message](std::size_t room) {
    const std::unique_ptr<std::uint8_t[]> out(new std::uint8_t[room]);  // exact, for ASan
    return encode(message, MutableBytes(out.get(), room)).status();
  };
  return decoder;
}

// A package has no decoder of its own, because devices do not hold one in RAM.
Result<ModelPackage> decode_package(Bytes bytes) {
  static PackageHead head;  // the views of the result point into it
  const SpanSource source(bytes);
  SKEP_ASSIGN_OR_RETURN(head, read_model_package(source));
  return ModelPackage{head.manifest_view(), head.signature,
                      bytes.subspan(head.weights_offset, head.weights_bytes)};
}

Result<DeviceCredentials> decode_credentials(Bytes bytes) {
  return decode_device_credentials(bytes);
}

}  // namespace

RoundPlan round_plan() {
  RoundPlan plan{};
  plan.version = kRoundPlanVersion;
  fill(plan.federation, 1);
  plan.state = skep_RoundState_ROUND_STATE_OPEN;
  plan.round = 20;
  fill(plan.nonce, 0xa0);
  plan.base_version = 19;
  fill(plan.base_digest, 0x10);
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = 1638;
  plan.learning_rate_shift = 15;
  plan.local_epochs = 5;
  plan.max_local_steps = 400;
  plan.batch_size = 1;
  plan.clip_norm_q16 = 2U << 16U;
  plan.keep_permille = 100;
  plan.value_bits = 12;
  plan.deadline_ms = 600'000;
  plan.key_id = 3;
  plan.kem = skep_Kem_KEM_DHKEM_P256_HKDF_SHA256;
  plan.aggregation_key.size = kP256PointBytes;
  fill(plan.aggregation_key.bytes, 0x04);
  plan.compression = skep_Compression_COMPRESSION_TOP_K;
  plan.momentum_q15 = 29491;
  plan.proximal_mu_q16 = 655;
  return plan;
}

SignedRoundPlan signed_round_plan() {
  static const Buffer kPlan = encoded(round_plan());
  return {.plan = kPlan, .signature = pattern(kSignatureBytes)};
}

UpdateHeader update_header() {
  UpdateHeader header{};
  header.version = 1;
  fill(header.federation, 1);
  std::strcpy(header.device, "device-07");
  header.round = 20;
  header.base_version = 20;
  fill(header.nonce, 0xa0);
  header.key_id = 1;
  header.format = kUpdateFormat;
  return header;
}

SealedUpdate sealed_update() {
  static const Buffer kHeader = encoded(update_header());
  return {.header = kHeader,
          .enc = pattern(kP256PointBytes),
          .ciphertext = pattern(200),
          .signature = pattern(kSignatureBytes)};
}

Update update() {
  return {.base_digest = pattern(kShortDigestBytes),
          .sample_count = 72,
          .loss_before_q16 = 150'906,
          .loss_after_q16 = 32'768,
          .delta = pattern(180)};
}

Receipt receipt() {
  Receipt receipt{};
  receipt.version = 1;
  receipt.status = skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED;
  receipt.round = 20;
  fill(receipt.update_digest, 0x30);
  return receipt;
}

GatewayTime gateway_time() {
  GatewayTime time{};
  time.version = 1;
  fill(time.federation, 1);
  fill(time.nonce, 0xa0);
  time.unix_s = 1'795'305'600;
  return time;
}

SignedTime signed_time() {
  static const Buffer kTime = encoded(gateway_time());
  return {.time = kTime, .signature = pattern(kSignatureBytes)};
}

ModelManifest model_manifest() {
  ModelSpec spec;
  spec.inputs = 64;
  spec.input_exponent = -4;
  spec.layer_count = 3;
  spec.layers[0] = {LayerKind::kDense, 32};
  spec.layers[1] = {LayerKind::kRelu, 32};
  spec.layers[2] = {LayerKind::kDense, 10};

  ModelManifest manifest{};
  manifest.version = 1;
  fill(manifest.federation, 1);
  std::strcpy(manifest.model_name, "digits-mlp");
  manifest.model_version = 21;
  manifest.rolls_back_to = 18;
  manifest.round = 20;
  manifest.has_spec = true;
  manifest.spec = from_model_spec(spec);
  fill(manifest.weights_digest, 0x70);
  manifest.weights_bytes = 4824;
  manifest.contributor_count = 18;
  manifest.has_evaluation = true;
  manifest.evaluation = {.sample_count = 360, .correct_count = 346, .mean_loss_q16 = 9175};
  manifest.epsilon_q32 = std::uint64_t{3} << 32U;
  manifest.delta_q63 = std::uint64_t{1} << 46U;
  manifest.minimum_sdk_version = 0x000100;
  manifest.created_unix_s = 1'795'219'200;
  manifest.expires_unix_s = 1'826'755'200;
  return manifest;
}

ModelPackage model_package() {
  static const Buffer kManifest = encoded(model_manifest());
  return {.manifest = kManifest, .signature = pattern(kSignatureBytes), .weights = pattern(150)};
}

ModelPatch model_patch() {
  static const Buffer kManifest = encoded(model_manifest());
  return {.base_version = 19,
          .manifest = kManifest,
          .signature = pattern(kSignatureBytes),
          .difference = pattern(90)};
}

Problem problem() {
  Problem problem{};
  problem.version = 1;
  problem.code = static_cast<std::uint32_t>(Status::kWrongRound);
  std::strcpy(problem.detail, "round 19 is closed, the open one is 20");
  return problem;
}

DeviceCredentials device_credentials() {
  DeviceCredentials credentials{};
  credentials.version = 1;
  fill(credentials.federation, 1);
  std::strcpy(credentials.device, "device-07");
  credentials.ca_certificate.size = 300;
  std::memset(credentials.ca_certificate.bytes, 0x30, 300);
  credentials.device_certificate.size = 400;
  std::memset(credentials.device_certificate.bytes, 0x31, 400);
  fill(credentials.device_private_key, 0x51);
  fill(credentials.model_signing_key, 0x04);
  std::strcpy(credentials.gateway_host, "127.0.0.1");
  credentials.gateway_port = 5684;
  return credentials;
}

template <typename Message>
Buffer encoded(const Message& message) {
  Buffer out(kMaxUpdateBytes);
  const Result<std::size_t> size = encode(message, out);
  EXPECT_TRUE(size.ok()) << to_string(size.status());
  out.resize(size.ok() ? *size : 0);
  return out;
}
template Buffer encoded(const RoundPlan&);
template Buffer encoded(const SignedRoundPlan&);
template Buffer encoded(const UpdateHeader&);
template Buffer encoded(const SealedUpdate&);
template Buffer encoded(const Update&);
template Buffer encoded(const Receipt&);
template Buffer encoded(const ModelManifest&);
template Buffer encoded(const ModelPackage&);
template Buffer encoded(const ModelPatch&);
template Buffer encoded(const Problem&);
template Buffer encoded(const GatewayTime&);
template Buffer encoded(const SignedTime&);
template Buffer encoded(const DeviceCredentials&);

std::vector<Decoder> decoders() {
  return {
      make_decoder<RoundPlan>("RoundPlan", round_plan(),
                              {decode_round_plan, kMaxRoundPlanBytes, true}),
      make_decoder<SignedRoundPlan>("SignedRoundPlan", signed_round_plan(),
                                    {decode_signed_round_plan, kMaxSignedRoundPlanBytes, false}),
      make_decoder<UpdateHeader>("UpdateHeader", update_header(),
                                 {decode_update_header, kMaxUpdateHeaderBytes, true}),
      make_decoder<SealedUpdate>("SealedUpdate", sealed_update(),
                                 {decode_sealed_update, kMaxUpdateBytes, false}),
      make_decoder<Update>("Update", update(), {decode_update, kMaxUpdateBytes, true}),
      make_decoder<Receipt>("Receipt", receipt(), {decode_receipt, kMaxReceiptBytes, true}),
      make_decoder<ModelManifest>("ModelManifest", model_manifest(),
                                  {decode_model_manifest, skep_ModelManifest_size, true}),
      make_decoder<ModelPackage>("ModelPackage", model_package(),
                                 {decode_package, kMaxPackageBytes, false}),
      make_decoder<ModelPatch>("ModelPatch", model_patch(),
                               {decode_model_patch, kMaxPackageBytes, true}),
      make_decoder<Problem>("Problem", problem(), {decode_problem, kMaxProblemBytes, true}),
      make_decoder<GatewayTime>("GatewayTime", gateway_time(),
                                {decode_gateway_time, kMaxGatewayTimeBytes, true}),
      make_decoder<SignedTime>("SignedTime", signed_time(),
                               {decode_signed_time, kMaxSignedTimeBytes, false}),
      make_decoder<DeviceCredentials>("DeviceCredentials", device_credentials(),
                                      {decode_credentials, kMaxDeviceCredentialsBytes, true}),
  };
}

std::vector<Buffer> fields_of(const Buffer& message) {
  std::vector<Buffer> fields;
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t start = at;
    const auto read_varint = [&] {
      std::uint64_t value = 0;
      for (unsigned shift = 0;; shift += 7) {
        const std::uint8_t byte = message.at(at++);
        value |= std::uint64_t{byte & 0x7FU} << shift;
        if (byte < 0x80) return value;
      }
    };
    const std::uint64_t tag = read_varint();  // two bytes from field 16 on
    const std::uint64_t value = read_varint();
    if ((tag & 7U) == 2) at += value;
    fields.emplace_back(message.begin() + static_cast<std::ptrdiff_t>(start),
                        message.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return fields;
}

}  // namespace skep::wire::testing_messages
