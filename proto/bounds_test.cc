// Each field's range as skep.proto's comments say, at both ends, for decoder and encoder.
#include <gtest/gtest.h>
#include <pb_encode.h>

#include <cstring>
#include <functional>
#include <string>

#include "skep/wire/codec.h"
#include "test_messages.h"

namespace skep::wire {
namespace {

using testing_messages::Buffer;

// Bytes of a message that encode() may refuse to write.
Buffer written_by_nanopb(const pb_msgdesc_t* fields, const void* message) {
  Buffer out(4096);
  pb_ostream_t stream = pb_ostream_from_buffer(out.data(), out.size());
  EXPECT_TRUE(pb_encode(&stream, fields, message)) << PB_GET_ERROR(&stream);
  out.resize(stream.bytes_written);
  return out;
}

template <typename Message>
using Change = std::function<void(Message&)>;

template <typename Message>
struct Case {
  const char* what;
  Status expected;
  Change<Message> change;
};

// Makes each case of a valid message and offers it to decoder and encoder.
template <typename Message>
void expect_outcomes(const Message& valid, const pb_msgdesc_t* fields,
                     Result<Message> (*decode)(Bytes), const std::vector<Case<Message>>& cases) {
  for (const Case<Message>& test : cases) {
    SCOPED_TRACE(test.what);
    Message message = valid;
    test.change(message);
    const Buffer bytes = written_by_nanopb(fields, &message);
    EXPECT_EQ(to_string(decode(bytes).status()), std::string(to_string(test.expected)));

    Buffer out(4096);
    const Status encoded = encode(message, out).status();
    EXPECT_EQ(encoded, test.expected == Status::kOk ? Status::kOk : Status::kInvalidArgument);
  }
}

constexpr Status kOk = Status::kOk;
constexpr Status kBad = Status::kMalformed;
constexpr Status kNotDone = Status::kUnsupported;

template <typename Enum>
void set_number(Enum& field, std::underlying_type_t<Enum> number) {
  std::memcpy(&field, &number, sizeof(number));  // a number that the enum lacks
}

TEST(Bounds, RoundPlan) {
  using M = RoundPlan;
  expect_outcomes<M>(
      testing_messages::round_plan(), skep_RoundPlan_fields, decode_round_plan,
      {
          {"version 3", Status::kUnsupportedVersion, [](M& m) { m.version = 3; }},
          {"no version", kBad, [](M& m) { m.version = 0; }},
          {"no state", kBad, [](M& m) { set_number(m.state, 0); }},
          {"idle", kOk, [](M& m) { set_number(m.state, 2); }},
          {"unknown state", kNotDone, [](M& m) { set_number(m.state, 3); }},
          {"round 0", kBad, [](M& m) { m.round = 0; }},
          {"last round", kOk, [](M& m) { m.round = UINT32_MAX; }},
          {"base version 0", kBad, [](M& m) { m.base_version = 0; }},
          {"no mode", kBad, [](M& m) { set_number(m.mode, 0); }},
          {"unknown mode", kNotDone, [](M& m) { set_number(m.mode, 2); }},
          {"learning rate 0", kBad, [](M& m) { m.learning_rate_mantissa = 0; }},
          {"least mantissa", kOk, [](M& m) { m.learning_rate_mantissa = 1; }},
          {"largest mantissa", kOk, [](M& m) { m.learning_rate_mantissa = 32767; }},
          {"mantissa 32768", kBad, [](M& m) { m.learning_rate_mantissa = 32768; }},
          {"shift 0", kOk, [](M& m) { m.learning_rate_shift = 0; }},
          {"shift 30", kOk, [](M& m) { m.learning_rate_shift = 30; }},
          {"shift 31", kBad, [](M& m) { m.learning_rate_shift = 31; }},
          {"no epoch", kBad, [](M& m) { m.local_epochs = 0; }},
          {"1000 epochs", kOk, [](M& m) { m.local_epochs = 1000; }},
          {"1001 epochs", kBad, [](M& m) { m.local_epochs = 1001; }},
          {"no step bound", kOk, [](M& m) { m.max_local_steps = 0; }},
          {"batch 0", kBad, [](M& m) { m.batch_size = 0; }},
          {"batch 2", kNotDone, [](M& m) { m.batch_size = 2; }},
          {"clip norm 0", kBad, [](M& m) { m.clip_norm_q16 = 0; }},
          {"least clip norm", kOk, [](M& m) { m.clip_norm_q16 = 1; }},
          {"largest clip norm", kOk, [](M& m) { m.clip_norm_q16 = UINT32_MAX; }},
          {"keep 0", kBad, [](M& m) { m.keep_permille = 0; }},
          {"keep all", kOk, [](M& m) { m.keep_permille = 1000; }},
          {"keep 1001", kBad, [](M& m) { m.keep_permille = 1001; }},
          {"1 bit", kBad, [](M& m) { m.value_bits = 1; }},
          {"2 bits", kOk, [](M& m) { m.value_bits = 2; }},
          {"16 bits", kOk, [](M& m) { m.value_bits = 16; }},
          {"17 bits", kBad, [](M& m) { m.value_bits = 17; }},
          {"no compression", kBad, [](M& m) { set_number(m.compression, 0); }},
          {"unknown compression", kNotDone, [](M& m) { set_number(m.compression, 6); }},
          {"plain SGD", kOk, [](M& m) { m.momentum_q15 = 0; }},
          {"most momentum", kOk, [](M& m) { m.momentum_q15 = 32767; }},
          {"momentum 1", kBad, [](M& m) { m.momentum_q15 = 32768; }},
          {"no proximal term", kOk, [](M& m) { m.proximal_mu_q16 = 0; }},
          {"largest mu", kOk, [](M& m) { m.proximal_mu_q16 = 1U << 20U; }},
          {"larger mu", kBad, [](M& m) { m.proximal_mu_q16 = (1U << 20U) + 1; }},
          {"no kem", kBad, [](M& m) { set_number(m.kem, 0); }},
          {"unknown kem", kNotDone, [](M& m) { set_number(m.kem, 17); }},
          {"X25519 with a P-256 key", kBad, [](M& m) { set_number(m.kem, 32); }},
          {"X25519", kOk,
           [](M& m) {
             set_number(m.kem, 32);
             m.aggregation_key.size = 32;
           }},
          {"no key", kBad, [](M& m) { m.aggregation_key.size = 0; }},
          {"short key", kBad, [](M& m) { m.aggregation_key.size = 64; }},
          {"compressed point", kBad, [](M& m) { m.aggregation_key.bytes[0] = 2; }},
      });
}

// A mode has keep_permille and value_bits, or it has them 0.
TEST(Bounds, RoundPlanCompressions) {
  using M = RoundPlan;
  struct Mode {
    std::uint32_t number;
    bool has_count;
    bool has_bits;
  };
  for (const Mode mode : {Mode{1, true, true},
                          {2, true, false},
                          {3, false, false},
                          {4, false, false},
                          {5, true, true}}) {
    SCOPED_TRACE(mode.number);
    M plan = testing_messages::round_plan();
    set_number(plan.compression, mode.number);
    plan.keep_permille = mode.has_count ? 50 : 0;
    plan.value_bits = mode.has_bits ? 16 : 0;
    expect_outcomes<M>(
        plan, skep_RoundPlan_fields, decode_round_plan,
        {
            {"as it is", kOk, [](M&) {}},
            {"keep 0", mode.has_count ? kBad : kOk, [](M& m) { m.keep_permille = 0; }},
            {"keep 1", mode.has_count ? kOk : kBad, [](M& m) { m.keep_permille = 1; }},
            {"0 bits", mode.has_bits ? kBad : kOk, [](M& m) { m.value_bits = 0; }},
            {"2 bits", mode.has_bits ? kOk : kBad, [](M& m) { m.value_bits = 2; }},
        });
  }
}

TEST(Bounds, RoundPlanOfVersion1HasNoneOfTheLaterFields) {
  using M = RoundPlan;
  M plan = testing_messages::round_plan();
  plan.version = 1;
  set_number(plan.compression, 0);
  plan.momentum_q15 = plan.proximal_mu_q16 = 0;
  expect_outcomes<M>(plan, skep_RoundPlan_fields, decode_round_plan,
                     {
                         {"as it is", kOk, [](M&) {}},
                         {"compression", kBad, [](M& m) { set_number(m.compression, 1); }},
                         {"momentum", kBad, [](M& m) { m.momentum_q15 = 1; }},
                         {"proximal term", kBad, [](M& m) { m.proximal_mu_q16 = 1; }},
                         {"keep 0", kBad, [](M& m) { m.keep_permille = 0; }},
                         {"1 bit", kBad, [](M& m) { m.value_bits = 1; }},
                     });
  EXPECT_EQ(to_compression(plan).mode, CompressionMode::kTopK);
  EXPECT_EQ(to_compression(plan).keep_permille, 100U);
  EXPECT_EQ(to_compression(plan).value_bits, 12U);
}

TEST(Bounds, UpdateHeader) {
  using M = UpdateHeader;
  expect_outcomes<M>(testing_messages::update_header(), skep_UpdateHeader_fields,
                     decode_update_header,
                     {
                         {"version 2", Status::kUnsupportedVersion, [](M& m) { m.version = 2; }},
                         {"no name", kBad, [](M& m) { m.device[0] = '\0'; }},
                         {"32 characters", kOk, [](M& m) { std::memset(m.device, 'a', 32); }},
                         {"capital", kBad, [](M& m) { m.device[0] = 'D'; }},
                         {"slash", kBad, [](M& m) { m.device[3] = '/'; }},
                         {"round 0", kBad, [](M& m) { m.round = 0; }},
                         {"base version 0", kBad, [](M& m) { m.base_version = 0; }},
                         {"key id 0", kOk, [](M& m) { m.key_id = 0; }},
                         {"no format", kBad, [](M& m) { m.format = 0; }},
                         {"unknown format", kNotDone, [](M& m) { m.format = 2; }},
                     });
}

TEST(Bounds, Receipt) {
  using M = Receipt;
  expect_outcomes<M>(testing_messages::receipt(), skep_Receipt_fields, decode_receipt,
                     {
                         {"version 2", Status::kUnsupportedVersion, [](M& m) { m.version = 2; }},
                         {"no status", kBad, [](M& m) { set_number(m.status, 0); }},
                         {"duplicate", kOk, [](M& m) { set_number(m.status, 2); }},
                         {"unknown status", kNotDone, [](M& m) { set_number(m.status, 3); }},
                         {"round 0", kBad, [](M& m) { m.round = 0; }},
                     });
}

TEST(Bounds, GatewayTime) {
  using M = GatewayTime;
  expect_outcomes<M>(testing_messages::gateway_time(), skep_GatewayTime_fields, decode_gateway_time,
                     {
                         {"version 2", Status::kUnsupportedVersion, [](M& m) { m.version = 2; }},
                         {"no time", kBad, [](M& m) { m.unix_s = 0; }},
                         {"first second", kOk, [](M& m) { m.unix_s = 1; }},
                         {"last second", kOk, [](M& m) { m.unix_s = UINT64_MAX; }},
                     });
}

TEST(Bounds, ModelManifest) {
  using M = ModelManifest;
  expect_outcomes<M>(
      testing_messages::model_manifest(), skep_ModelManifest_fields, decode_model_manifest,
      {
          {"version 2", Status::kUnsupportedVersion, [](M& m) { m.version = 2; }},
          {"no name", kBad, [](M& m) { m.model_name[0] = '\0'; }},
          {"space in name", kBad, [](M& m) { m.model_name[1] = ' '; }},
          {"model version 0", kBad,
           [](M& m) {
             m.model_version = 0;
             m.rolls_back_to = 0;
           }},
          {"rolls back to itself", kBad, [](M& m) { m.rolls_back_to = m.model_version; }},
          {"rolls back to the one before", kOk,
           [](M& m) { m.rolls_back_to = m.model_version - 1; }},
          {"round 0", kOk, [](M& m) { m.round = 0; }},
          {"no spec", kBad, [](M& m) { m.has_spec = false; }},
          {"no evaluation", kBad, [](M& m) { m.has_evaluation = false; }},
          {"empty evaluation", kOk, [](M& m) { m.evaluation = EvaluationMetrics{}; }},
          {"all correct", kOk, [](M& m) { m.evaluation.correct_count = 360; }},
          {"more correct than there are", kBad, [](M& m) { m.evaluation.correct_count = 361; }},
          {"no weights", kBad, [](M& m) { m.weights_bytes = 0; }},
          {"most weights", kOk, [](M& m) { m.weights_bytes = kMaxPackageBytes; }},
          {"more weights", kBad, [](M& m) { m.weights_bytes = kMaxPackageBytes + 1; }},
          {"delta 1", kOk, [](M& m) { m.delta_q63 = std::uint64_t{1} << 63U; }},
          {"delta above 1", kBad, [](M& m) { m.delta_q63 = (std::uint64_t{1} << 63U) + 1; }},
          {"never expires", kOk, [](M& m) { m.expires_unix_s = 0; }},
      });
}

TEST(Bounds, ModelSpecInAManifest) {
  using M = ModelManifest;
  expect_outcomes<M>(
      testing_messages::model_manifest(), skep_ModelManifest_fields, decode_model_manifest,
      {
          {"version 3", Status::kUnsupportedVersion, [](M& m) { m.spec.version = 3; }},
          {"version 2 of what version 1 can say", kBad,
           [](M& m) {
             m.spec.version = 2;
             m.spec.input_height = m.spec.input_width = 1;
           }},
          {"version 1 with a shape", kBad, [](M& m) { m.spec.input_height = 1; }},
          {"version 1 with frozen layers", kBad, [](M& m) { m.spec.frozen_layers = 1; }},
          {"no input", kBad, [](M& m) { m.spec.inputs = 0; }},
          {"most inputs", kOk, [](M& m) { m.spec.inputs = kMaxLayerWidth; }},
          {"more inputs", Status::kTooLarge, [](M& m) { m.spec.inputs = kMaxLayerWidth + 1; }},
          {"65536 inputs", Status::kTooLarge, [](M& m) { m.spec.inputs = 65536; }},
          {"exponent -30", kOk, [](M& m) { m.spec.input_exponent = -30; }},
          {"exponent -31", kBad, [](M& m) { m.spec.input_exponent = -31; }},
          {"exponent 15", kOk, [](M& m) { m.spec.input_exponent = 15; }},
          {"exponent 16", kBad, [](M& m) { m.spec.input_exponent = 16; }},
          {"exponent 256", kBad, [](M& m) { m.spec.input_exponent = 256; }},
          {"no loss", kBad, [](M& m) { set_number(m.spec.loss, 0); }},
          {"unknown loss", kNotDone, [](M& m) { set_number(m.spec.loss, 4); }},
          {"loss of version 2", kNotDone, [](M& m) { set_number(m.spec.loss, 2); }},
          {"no layer", kBad, [](M& m) { m.spec.layers_count = 0; }},
          {"most layers", kOk,
           [](M& m) {
             for (skep_LayerSpec& layer : m.spec.layers) layer = m.spec.layers[0];
             m.spec.layers_count = kMaxLayers;
           }},
          {"no kind", kBad, [](M& m) { set_number(m.spec.layers[2].kind, 0); }},
          {"unknown kind", kNotDone, [](M& m) { set_number(m.spec.layers[2].kind, 12); }},
          {"kind of version 2", kNotDone,
           [](M& m) { m.spec.layers[1].kind = skep_LayerKind_LAYER_KIND_TANH; }},
          {"no output", kBad, [](M& m) { m.spec.layers[2].outputs = 0; }},
          {"most outputs", kOk, [](M& m) { m.spec.layers[2].outputs = kMaxLayerWidth; }},
          {"more outputs", Status::kTooLarge,
           [](M& m) { m.spec.layers[2].outputs = kMaxLayerWidth + 1; }},
          {"ReLU that widens", kBad, [](M& m) { m.spec.layers[1].outputs = 33; }},
          {"dense layer with a window", kBad, [](M& m) { m.spec.layers[0].kernel_width = 1; }},
          {"ReLU with a slope", kBad, [](M& m) { m.spec.layers[1].negative_slope_q15 = 1; }},
      });
}

// 12 x 10 x 3, a padded convolution, leaky ReLU, a pool, flatten, dense: every field is in use.
ModelManifest manifest_of_convolutions() {
  ModelSpec spec;
  spec.inputs = 360;
  spec.input_height = 12;
  spec.input_width = 10;
  spec.input_exponent = -8;
  spec.frozen_layers = 1;
  spec.layer_count = 5;
  spec.layers[0] = {LayerKind::kConv, 6, {3, 3, 2, 1, 1, 0, 1, 1}};
  spec.layers[1] = {.kind = LayerKind::kLeakyRelu, .outputs = 6, .negative_slope_q15 = 328};
  spec.layers[2] = {LayerKind::kMaxPool, 6, {2, 2, 2, 2}};
  spec.layers[3] = {LayerKind::kFlatten, 90};
  spec.layers[4] = {LayerKind::kDense, 4};
  ModelManifest manifest = testing_messages::model_manifest();
  manifest.spec = from_model_spec(spec);
  return manifest;
}

TEST(Bounds, ModelSpecOfVersion2) {
  using M = ModelManifest;
  ASSERT_EQ(manifest_of_convolutions().spec.version, 2U);
  expect_outcomes<M>(
      manifest_of_convolutions(), skep_ModelManifest_fields, decode_model_manifest,
      {
          {"no height", kBad, [](M& m) { m.spec.input_height = 0; }},
          {"height that does not divide", kBad, [](M& m) { m.spec.input_height = 11; }},
          {"other height", kBad, [](M& m) { m.spec.input_height = 6; }},
          {"all layers frozen", kOk, [](M& m) { m.spec.frozen_layers = 5; }},
          {"more layers frozen than there are", kBad, [](M& m) { m.spec.frozen_layers = 6; }},
          {"binary cross-entropy", kOk,
           [](M& m) { m.spec.loss = skep_Loss_LOSS_BINARY_CROSS_ENTROPY; }},
          {"unknown loss", kNotDone, [](M& m) { set_number(m.spec.loss, 4); }},
          {"no kernel", kBad, [](M& m) { m.spec.layers[0].kernel_height = 0; }},
          {"no stride", kBad, [](M& m) { m.spec.layers[0].stride_width = 0; }},
          {"padding like the kernel", kBad, [](M& m) { m.spec.layers[0].pad_top = 3; }},
          {"kernel larger than the input", kBad, [](M& m) { m.spec.layers[0].kernel_width = 13; }},
          {"padded pool", kBad, [](M& m) { m.spec.layers[2].pad_left = 1; }},
          {"pool that adds a channel", kBad, [](M& m) { m.spec.layers[2].outputs = 7; }},
          {"slope 0", kBad, [](M& m) { m.spec.layers[1].negative_slope_q15 = 0; }},
          {"slope 1", kBad, [](M& m) { m.spec.layers[1].negative_slope_q15 = 32768; }},
          {"flatten of another size", kBad, [](M& m) { m.spec.layers[3].outputs = 91; }},
          {"dense layer on a shape", kBad,
           [](M& m) {
             m.spec.layers[3] = m.spec.layers[4];
             m.spec.layers_count = 4;
           }},
          {"flatten with a window", kBad, [](M& m) { m.spec.layers[3].kernel_width = 1; }},
      });
}

TEST(Bounds, MoreLayersThanTheWireAllows) {
  Buffer bytes = testing_messages::encoded(testing_messages::model_manifest());
  skep_ModelSpec spec = testing_messages::model_manifest().spec;
  spec.layers_count = 24;
  for (skep_LayerSpec& layer : spec.layers) layer = spec.layers[0];
  Buffer inner = written_by_nanopb(skep_ModelSpec_fields, &spec);
  const Buffer extra_layer = {0x2a, 0x04, 0x08, 0x01, 0x10, 0x20};
  inner.insert(inner.end(), extra_layer.begin(), extra_layer.end());
  ASSERT_TRUE(inner.size() >= 128 && inner.size() < 256) << "a varint of two bytes";

  Buffer with_25_layers;
  for (Buffer field : testing_messages::fields_of(bytes)) {
    if (field[0] == 0x3a) {  // spec
      field = {0x3a, static_cast<std::uint8_t>(inner.size()), 0x01};
      field.insert(field.end(), inner.begin(), inner.end());
    }
    with_25_layers.insert(with_25_layers.end(), field.begin(), field.end());
  }
  EXPECT_EQ(decode_model_manifest(with_25_layers).status(), Status::kMalformed);
}

TEST(Bounds, Problem) {
  using M = Problem;
  expect_outcomes<M>(testing_messages::problem(), skep_Problem_fields, decode_problem,
                     {
                         {"version 2", Status::kUnsupportedVersion, [](M& m) { m.version = 2; }},
                         {"no code", kBad, [](M& m) { m.code = 0; }},
                         {"code of a later version", kOk, [](M& m) { m.code = 255; }},
                         {"code 256", kBad, [](M& m) { m.code = 256; }},
                         {"no detail", kOk, [](M& m) { m.detail[0] = '\0'; }},
                         {"96 characters", kOk, [](M& m) { std::memset(m.detail, '~', 96); }},
                         {"control character", kBad, [](M& m) { m.detail[4] = '\n'; }},
                         {"DEL", kBad, [](M& m) { m.detail[4] = '\x7f'; }},
                         {"not ASCII", kBad, [](M& m) { m.detail[4] = '\xe9'; }},
                     });
}

TEST(Bounds, DeviceCredentials) {
  using M = DeviceCredentials;
  expect_outcomes<M>(
      testing_messages::device_credentials(), skep_DeviceCredentials_fields,
      [](Bytes bytes) { return decode_device_credentials(bytes); },
      {
          {"version 2", Status::kUnsupportedVersion, [](M& m) { m.version = 2; }},
          {"capital in name", kBad, [](M& m) { m.device[0] = 'D'; }},
          {"no CA", kBad, [](M& m) { m.ca_certificate.size = 0; }},
          {"largest CA", kOk, [](M& m) { m.ca_certificate.size = 1024; }},
          {"no certificate", kBad, [](M& m) { m.device_certificate.size = 0; }},
          {"largest certificate", kOk, [](M& m) { m.device_certificate.size = 1024; }},
          {"compressed signing key", kBad, [](M& m) { m.model_signing_key[0] = 3; }},
          {"no host", kBad, [](M& m) { m.gateway_host[0] = '\0'; }},
          {"IPv6", kOk, [](M& m) { std::strcpy(m.gateway_host, "2001:db8::a1"); }},
          {"host name", kBad, [](M& m) { std::strcpy(m.gateway_host, "gateway.local"); }},
          {"port 0", kBad, [](M& m) { m.gateway_port = 0; }},
          {"port 65535", kOk, [](M& m) { m.gateway_port = 65535; }},
          {"port 65536", kBad, [](M& m) { m.gateway_port = 65536; }},
      });
}

TEST(Bounds, ArraysWithoutATerminatorAreNotEncoded) {
  Buffer out(4096);
  UpdateHeader header = testing_messages::update_header();
  std::memset(header.device, 'a', sizeof(header.device));
  EXPECT_EQ(encode(header, out).status(), Status::kInvalidArgument);
  Problem problem = testing_messages::problem();
  std::memset(problem.detail, 'a', sizeof(problem.detail));
  EXPECT_EQ(encode(problem, out).status(), Status::kInvalidArgument);
  DeviceCredentials credentials = testing_messages::device_credentials();
  std::memset(credentials.gateway_host, '1', sizeof(credentials.gateway_host));
  EXPECT_EQ(encode(credentials, out).status(), Status::kInvalidArgument);
  RoundPlan plan = testing_messages::round_plan();
  plan.aggregation_key.size = 66;
  EXPECT_EQ(encode(plan, out).status(), Status::kInvalidArgument);
}

// Envelopes are written by hand here, because nanopb's struct has no sizes for them.
void append(Buffer& out, std::uint8_t field, std::size_t size) {
  out.push_back(static_cast<std::uint8_t>((unsigned{field} << 3U) | 2U));
  for (; size >= 0x80; size >>= 7U) out.push_back(static_cast<std::uint8_t>(size | 0x80U));
  out.push_back(static_cast<std::uint8_t>(size));
}
Buffer envelope(const std::vector<std::size_t>& sizes) {
  Buffer out;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) continue;
    append(out, static_cast<std::uint8_t>(i + 1), sizes[i]);
    out.resize(out.size() + sizes[i], 0x55);
  }
  return out;
}

TEST(Bounds, SignedRoundPlan) {
  const auto decode = [](std::size_t plan, std::size_t signature) {
    return decode_signed_round_plan(envelope({plan, signature})).status();
  };
  EXPECT_EQ(decode(kMaxRoundPlanBytes, 64), kOk);
  EXPECT_EQ(decode(1, 64), kOk);
  EXPECT_EQ(decode(0, 64), kBad);
  EXPECT_EQ(decode(kMaxRoundPlanBytes + 1, 64), Status::kTooLarge);
  EXPECT_EQ(decode(100, 0), kBad);
  EXPECT_EQ(decode(100, 63), kBad);
  EXPECT_EQ(decode(100, 65), kBad);
}

TEST(Bounds, SealedUpdate) {
  const auto decode = [](std::vector<std::size_t> sizes) {
    return decode_sealed_update(envelope(sizes)).status();
  };
  EXPECT_EQ(decode({kMaxUpdateHeaderBytes, 65, 17, 64}), kOk);
  EXPECT_EQ(decode({1, 32, 17, 64}), kOk);
  EXPECT_EQ(decode({0, 65, 17, 64}), kBad);
  EXPECT_EQ(decode({kMaxUpdateHeaderBytes + 1, 65, 17, 64}), kBad);
  for (const std::size_t enc : {0U, 31U, 33U, 64U, 66U}) {
    EXPECT_EQ(decode({50, enc, 17, 64}), kBad) << enc;
  }
  EXPECT_EQ(decode({50, 65, 0, 64}), kBad);
  EXPECT_EQ(decode({50, 65, 16, 64}), kBad);
  EXPECT_EQ(decode({50, 65, 17, 0}), kBad);
  EXPECT_EQ(decode({50, 65, 17, 63}), kBad);
  EXPECT_EQ(decode({50, 65, 17, 65}), kBad);
  EXPECT_EQ(decode({50, 65, kMaxUpdateBytes, 64}), Status::kTooLarge);
}

TEST(Bounds, ModelPackage) {
  const auto read = [](std::vector<std::size_t> sizes) {
    const Buffer bytes = envelope(sizes);
    return read_model_package(SpanSource(bytes)).status();
  };
  EXPECT_EQ(read({1, 64, 1}), kOk);
  EXPECT_EQ(read({kMaxManifestBytes, 64, 100'000}), kOk);
  EXPECT_EQ(read({kMaxManifestBytes + 1, 64, 100}), kBad);
  EXPECT_EQ(read({0, 64, 100}), kBad);
  EXPECT_EQ(read({100, 0, 100}), kBad);
  EXPECT_EQ(read({100, 63, 100}), kBad);
  EXPECT_EQ(read({100, 65, 100}), kBad);
  EXPECT_EQ(read({100, 64, 0}), kBad);
  EXPECT_EQ(read({100, 64, kMaxPackageBytes}), Status::kTooLarge);
}

TEST(Bounds, Update) {
  Buffer out(1000);
  const auto outcome = [&](const Change<Update>& change) {
    Update update = testing_messages::update();
    change(update);
    return encode(update, out).status();
  };
  EXPECT_EQ(outcome([](Update& u) { u.sample_count = 1; }), kOk);
  EXPECT_EQ(outcome([](Update& u) { u.sample_count = 1U << 24U; }), kOk);
  EXPECT_EQ(outcome([](Update& u) { u.loss_before_q16 = u.loss_after_q16 = 0; }), kOk);
  EXPECT_EQ(outcome([](Update& u) { u.sample_count = 0; }), Status::kInvalidArgument);
  EXPECT_EQ(outcome([](Update& u) { u.sample_count = (1U << 24U) + 1; }), Status::kInvalidArgument);
  EXPECT_EQ(outcome([](Update& u) { u.delta = {}; }), Status::kInvalidArgument);
  EXPECT_EQ(outcome([](Update& u) { u.base_digest = u.base_digest.first(15); }),
            Status::kInvalidArgument);
}

// The decoder's side of the above: fields that encode() does not write.
TEST(Bounds, UpdateBytes) {
  const Buffer valid = testing_messages::encoded(testing_messages::update());
  const auto decode_with = [&](std::uint8_t tag, const Buffer& replacement) {
    Buffer bytes;
    for (const Buffer& field : testing_messages::fields_of(valid)) {
      const Buffer& used = field[0] == tag ? replacement : field;
      bytes.insert(bytes.end(), used.begin(), used.end());
    }
    return decode_update(bytes).status();
  };
  EXPECT_EQ(decode_with(0x18, {0x18, 0x80, 0x80, 0x80, 0x08}), kOk);         // 2^24 samples
  EXPECT_EQ(decode_with(0x18, {0x18, 0x81, 0x80, 0x80, 0x08}), kBad);        // 2^24 + 1
  EXPECT_EQ(decode_with(0x18, {}), kBad);                                    // none
  EXPECT_EQ(decode_with(0x18, {0x18, 0x00}), kBad);                          // 0, written out
  EXPECT_EQ(decode_with(0x18, {0x18, 0x80, 0x80, 0x80, 0x80, 0x10}), kBad);  // 2^32
  EXPECT_EQ(decode_with(0x32, {}), kBad);                                    // no delta
  EXPECT_EQ(decode_with(0x32, {0x30, 0x05}), kBad);                          // delta as a number
  EXPECT_EQ(decode_with(0x32, {0x35, 1, 2, 3, 4}), kBad);                    // delta as fixed32
  EXPECT_EQ(decode_with(0x12, {0x12, 0x00}), kBad);                          // empty digest
  EXPECT_EQ(decode_with(0x12, {}), kBad);                                    // no digest
}

TEST(Bounds, ModelPatch) {
  const auto decode = [](std::uint32_t base_version, std::vector<std::size_t> sizes) {
    const std::vector<Buffer> contents = {Buffer(sizes[0], 1), Buffer(sizes[1], 1),
                                          Buffer(sizes[2], 1)};
    const ModelPatch patch{base_version, contents[0], contents[1], contents[2]};
    Buffer bytes(sizes[0] + sizes[1] + sizes[2] + 32);
    return encode(patch, bytes).status();
  };
  EXPECT_EQ(decode(1, {1, 64, 1}), kOk);
  EXPECT_EQ(decode(UINT32_MAX, {kMaxManifestBytes, 64, 100'000}), kOk);
  EXPECT_EQ(decode(0, {1, 64, 1}), Status::kInvalidArgument);
  EXPECT_EQ(decode(1, {kMaxManifestBytes + 1, 64, 1}), Status::kInvalidArgument);
  EXPECT_EQ(decode(1, {0, 64, 1}), Status::kInvalidArgument);
  EXPECT_EQ(decode(1, {1, 63, 1}), Status::kInvalidArgument);
  EXPECT_EQ(decode(1, {1, 65, 1}), Status::kInvalidArgument);
  EXPECT_EQ(decode(1, {1, 64, 0}), Status::kInvalidArgument);
  EXPECT_EQ(decode(1, {1, 64, kMaxPackageBytes}), Status::kInvalidArgument);
}

}  // namespace
}  // namespace skep::wire
