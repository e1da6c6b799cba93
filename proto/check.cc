#include "check.h"

namespace skep::wire {
namespace {

constexpr std::uint8_t kUncompressedPoint = 0x04;  // SEC 1, section 2.3.3

Status check_version_number(std::uint32_t version, std::uint32_t latest = 1) {
  return in_range(version, 1, latest) ? Status::kOk : Status::kUnsupportedVersion;
}

// Length of a string field, its array's size if the terminator is missing.
template <std::size_t kSize>
std::size_t length_of(const char (&text)[kSize]) {
  const void* end = std::memchr(text, '\0', kSize);
  return end == nullptr ? kSize : static_cast<std::size_t>(static_cast<const char*>(end) - text);
}

template <std::size_t kSize>
Status check_name(const char (&name)[kSize]) {
  return require(is_valid_name(name, length_of(name)));
}

// An IPv4 or IPv6 address as text. Whether it is one is for the resolver to say.
template <std::size_t kSize>
Status check_address(const char (&text)[kSize]) {
  const std::size_t length = length_of(text);
  if (length == 0 || length == kSize) return Status::kMalformed;
  for (std::size_t i = 0; i < length; ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!hex && c != '.' && c != ':') return Status::kMalformed;
  }
  return Status::kOk;
}

Status check_aggregation_key(std::uint32_t kem, Bytes key) {
  SKEP_TRY(check_enum(
      kem, {skep_Kem_KEM_DHKEM_P256_HKDF_SHA256, skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256}));
  if (kem == skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256) {
    return require(key.size() == kX25519KeyBytes);
  }
  return require(key.size() == kP256PointBytes && key[0] == kUncompressedPoint);
}

Status check_compression(const RoundPlan& plan) {
  if (plan.version > 1) {
    SKEP_TRY(check_enum(number_of(plan.compression),
                        {skep_Compression_COMPRESSION_TOP_K, skep_Compression_COMPRESSION_TERNARY,
                         skep_Compression_COMPRESSION_INT8, skep_Compression_COMPRESSION_EDEN,
                         skep_Compression_COMPRESSION_RANDOM_K}));
  }
  const CompressionMode mode = to_compression(plan).mode;
  SKEP_TRY(require(has_keep_count(mode) ? in_range(plan.keep_permille, 1, 1000)
                                        : plan.keep_permille == 0));
  return require(has_value_bits(mode) ? in_range(plan.value_bits, 2, 16) : plan.value_bits == 0);
}

Status check_training(const RoundPlan& plan) {
  SKEP_TRY(require(in_range(plan.learning_rate_mantissa, 1, 32767)));
  SKEP_TRY(require(plan.learning_rate_shift <= 30));
  SKEP_TRY(require(in_range(plan.local_epochs, 1, 1000)));
  SKEP_TRY(require(plan.batch_size != 0));
  if (plan.batch_size != 1) return Status::kUnsupported;
  SKEP_TRY(require(plan.clip_norm_q16 >= 1));
  SKEP_TRY(require(plan.momentum_q15 <= 32767 && plan.proximal_mu_q16 <= 1U << 20U));
  return check_compression(plan);
}

// What version 2 added.
bool has_later_fields(const RoundPlan& plan) {
  return number_of(plan.compression) != 0 || plan.momentum_q15 != 0 || plan.proximal_mu_q16 != 0;
}

}  // namespace

Status check(const RoundPlan& plan) {
  SKEP_TRY(check_version_number(plan.version, kRoundPlanVersion));
  SKEP_TRY(require(plan.version > 1 || !has_later_fields(plan)));
  SKEP_TRY(check_enum(number_of(plan.state),
                      {skep_RoundState_ROUND_STATE_OPEN, skep_RoundState_ROUND_STATE_IDLE}));
  SKEP_TRY(require(plan.round >= 1 && plan.base_version >= 1));
  SKEP_TRY(check_enum(number_of(plan.mode), {skep_RoundMode_ROUND_MODE_PLAIN}));
  SKEP_TRY(check_training(plan));
  return check_aggregation_key(number_of(plan.kem), bytes_of(plan.aggregation_key));
}

Status check(const SignedRoundPlan& message) {
  SKEP_TRY(require(!message.plan.empty() && message.plan.size() <= kMaxRoundPlanBytes));
  return require(message.signature.size() == kSignatureBytes);
}

Status check(const UpdateHeader& header) {
  SKEP_TRY(check_version_number(header.version));
  SKEP_TRY(check_name(header.device));
  SKEP_TRY(require(header.round >= 1 && header.base_version >= 1));
  SKEP_TRY(require(header.format != 0));
  return header.format == kUpdateFormat ? Status::kOk : Status::kUnsupported;
}

Status check(const SealedUpdate& message) {
  SKEP_TRY(require(!message.header.empty() && message.header.size() <= kMaxUpdateHeaderBytes));
  SKEP_TRY(require(message.enc.size() == kP256PointBytes || message.enc.size() == kX25519KeyBytes));
  SKEP_TRY(require(message.ciphertext.size() > kAeadTagBytes));
  return require(message.signature.size() == kSignatureBytes);
}

Status check(const Update& update) {
  SKEP_TRY(require(update.base_digest.size() == kShortDigestBytes));
  SKEP_TRY(require(in_range(update.sample_count, 1, kMaxSampleCount)));
  return require(!update.delta.empty());
}

Status check(const Receipt& receipt) {
  SKEP_TRY(check_version_number(receipt.version));
  SKEP_TRY(check_enum(number_of(receipt.status), {skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED,
                                                  skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE}));
  return require(receipt.round >= 1);
}

Status check(const ModelManifest& manifest) {
  SKEP_TRY(check_version_number(manifest.version));
  SKEP_TRY(check_name(manifest.model_name));
  SKEP_TRY(require(manifest.model_version >= 1));
  SKEP_TRY(require(manifest.rolls_back_to < manifest.model_version));
  SKEP_TRY(require(manifest.has_spec && manifest.has_evaluation));
  SKEP_TRY(to_model_spec(manifest.spec).status());
  SKEP_TRY(require(in_range(manifest.weights_bytes, 1, kMaxPackageBytes)));
  SKEP_TRY(require(manifest.evaluation.correct_count <= manifest.evaluation.sample_count));
  return require(manifest.delta_q63 <= std::uint64_t{1} << 63U);
}

Status check(const ModelPackage& package) {
  SKEP_TRY(require(!package.manifest.empty() && package.manifest.size() <= kMaxManifestBytes));
  SKEP_TRY(require(package.signature.size() == kSignatureBytes));
  return require(!package.weights.empty());
}

Status check(const ModelPatch& patch) {
  SKEP_TRY(require(patch.base_version >= 1));
  SKEP_TRY(require(!patch.manifest.empty() && patch.manifest.size() <= kMaxManifestBytes));
  SKEP_TRY(require(patch.signature.size() == kSignatureBytes));
  return require(!patch.difference.empty());
}

Status check(const Problem& problem) {
  SKEP_TRY(check_version_number(problem.version));
  SKEP_TRY(require(in_range(problem.code, 1, 255)));
  const std::size_t length = length_of(problem.detail);
  SKEP_TRY(require(length < sizeof(problem.detail)));
  for (std::size_t i = 0; i < length; ++i) {
    SKEP_TRY(require(problem.detail[i] >= ' ' && problem.detail[i] <= '~'));
  }
  return Status::kOk;
}

Status check(const GatewayTime& time) {
  SKEP_TRY(check_version_number(time.version));
  return require(time.unix_s >= 1);
}

Status check(const SignedTime& message) {
  SKEP_TRY(require(!message.time.empty() && message.time.size() <= kMaxGatewayTimeBytes));
  return require(message.signature.size() == kSignatureBytes);
}

Status check(const DeviceCredentials& credentials) {
  SKEP_TRY(check_version_number(credentials.version));
  SKEP_TRY(check_name(credentials.device));
  SKEP_TRY(require(in_range(credentials.ca_certificate.size, 1, 1024)));
  SKEP_TRY(require(in_range(credentials.device_certificate.size, 1, 1024)));
  SKEP_TRY(require(credentials.model_signing_key[0] == kUncompressedPoint));
  SKEP_TRY(check_address(credentials.gateway_host));
  return require(in_range(credentials.gateway_port, 1, 65535));
}

Compression to_compression(const RoundPlan& plan) {
  const auto mode = plan.version == 1 ? CompressionMode::kTopK
                                      : static_cast<CompressionMode>(number_of(plan.compression));
  return {.mode = mode,
          .keep_permille = static_cast<std::uint16_t>(plan.keep_permille),
          .value_bits = static_cast<std::uint8_t>(plan.value_bits)};
}

bool is_valid_name(const char* name, std::size_t length) {
  if (length == 0 || length > kMaxNameChars) return false;
  for (std::size_t i = 0; i < length; ++i) {
    const char c = name[i];
    const bool valid = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!valid) return false;
  }
  return true;
}

}  // namespace skep::wire
