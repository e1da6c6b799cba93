#include "plan.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <string>

#include "skep/compress/compressor.h"
#include "skep/release/step.h"
#include "skep/seal/sha256.h"

namespace skep::coordinator {
namespace {

void check_range(const char* name, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return;
  throw CoordinatorError(Status::kInvalidArgument,
                         std::string(name) + " = " + std::to_string(value) + ": expected " +
                             std::to_string(low) + " to " + std::to_string(high));
}

// Names a key by its content, so that a device can tell that the gateway has another one.
std::uint32_t key_id_of(Bytes public_key) {
  const auto digest = seal::sha256(public_key);
  if (!digest.ok()) throw CoordinatorError(digest.status(), "hashing the aggregation key failed");
  const auto& bytes = *digest;
  return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U |
         std::uint32_t{bytes[2]} << 8U | std::uint32_t{bytes[3]};
}

/// The fields that the mode has; the others are 0.
Compression compression_of(const Settings& settings) {
  const CompressionMode mode = settings.compression;
  return {.mode = mode,
          .keep_permille =
              static_cast<std::uint16_t>(has_keep_count(mode) ? settings.keep_permille : 0),
          .value_bits = static_cast<std::uint8_t>(has_value_bits(mode) ? settings.value_bits : 0)};
}

void check_update_fits(const Settings& settings, const Base& base) {
  const compress::Options options =
      compress::options_for(compression_of(settings), base.parameter_count, 0, Norm{1});
  const std::uint32_t bound =
      seal::sealed_bytes_bound(compress::max_compressed_bytes(base.parameter_count, options));
  if (bound > kMaxUpdateBytes) {
    throw CoordinatorError(Status::kTooLarge,
                           "updates of up to " + std::to_string(bound) + " bytes: at most " +
                               std::to_string(kMaxUpdateBytes) +
                               " can be sent; lower keep_permille or value_bits, or choose another "
                               "compression");
  }
}

}  // namespace

void check(const Settings& settings) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  check_range("minimum_updates", settings.minimum_updates, 1, kMax);
  check_range("quorum", settings.quorum, settings.minimum_updates, kMax);
  check_range("learning_rate_mantissa", settings.learning_rate_mantissa, 1, 32767);
  check_range("learning_rate_shift", settings.learning_rate_shift, 0, 30);
  check_range("local_epochs", settings.local_epochs, 1, 1000);
  check_range("clip_norm_q16", settings.clip_norm_q16, 1, kMax);
  check_range("keep_permille", settings.keep_permille, 1, 1000);
  check_range("value_bits", settings.value_bits, compress::kMinValueBits, compress::kMaxValueBits);
  check_range("momentum_q15", settings.momentum_q15, 0, 32767);
  check_range("max_accuracy_drop_permille", settings.max_accuracy_drop_permille, 0, 1000);
  if (settings.step_bits != 0) {
    check_range("step_bits", settings.step_bits, release::kMinStepBits, release::kMaxStepBits);
  }
}

wire::RoundPlan make_plan(const Settings& settings, const store::FederationId& federation,
                          const Base& base, const seal::AggregationKey& key, std::uint32_t round,
                          skep_RoundState state) {
  check_update_fits(settings, base);
  wire::RoundPlan plan{};
  plan.version = wire::kRoundPlanVersion;
  std::ranges::copy(federation, plan.federation);
  plan.state = state;
  plan.round = round;
  if (::getentropy(plan.nonce, sizeof plan.nonce) != 0) {
    throw CoordinatorError(Status::kNoEntropy, "no random bytes for a nonce");
  }
  plan.base_version = base.version;
  std::ranges::copy(base.weights_digest, plan.base_digest);
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = settings.learning_rate_mantissa;
  plan.learning_rate_shift = settings.learning_rate_shift;
  plan.local_epochs = settings.local_epochs;
  plan.max_local_steps = settings.max_local_steps;
  plan.batch_size = 1;
  plan.clip_norm_q16 = settings.clip_norm_q16;
  const Compression compression = compression_of(settings);
  plan.compression = static_cast<skep_Compression>(compression.mode);
  plan.keep_permille = compression.keep_permille;
  plan.value_bits = compression.value_bits;
  plan.momentum_q15 = settings.momentum_q15;
  plan.proximal_mu_q16 = settings.proximal_mu_q16;
  plan.deadline_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      std::uint64_t{settings.deadline_s} * 1000, std::numeric_limits<std::uint32_t>::max()));
  plan.key_id = key_id_of(key.public_key());
  plan.kem = seal::kem_to_wire(key.kem());
  plan.aggregation_key.size = static_cast<pb_size_t>(key.public_key().size());
  std::ranges::copy(key.public_key(), plan.aggregation_key.bytes);
  return plan;
}

bool is_current(const wire::RoundPlan& plan, const Base& base, const seal::AggregationKey& key) {
  return plan.base_version == base.version &&
         std::ranges::equal(plan.base_digest, base.weights_digest) &&
         plan.kem == seal::kem_to_wire(key.kem()) &&
         std::ranges::equal(wire::bytes_of(plan.aggregation_key), key.public_key());
}

std::vector<std::uint8_t> encode_plan(const wire::RoundPlan& plan) {
  std::vector<std::uint8_t> bytes(wire::kMaxRoundPlanBytes);
  const auto size = wire::encode(plan, bytes);
  if (!size.ok()) {
    throw CoordinatorError(Status::kInternal,
                           std::string("the plan does not encode: ") + to_string(size.status()));
  }
  bytes.resize(*size);
  return bytes;
}

SignedPlan sign_plan(Bytes encoded_plan, const seal::SigningKey& key) {
  const auto signature = key.sign(seal::Domain::kRoundPlan, encoded_plan);
  if (!signature.ok()) throw CoordinatorError(signature.status(), "signing the plan failed");
  SignedPlan plan;
  plan.signature.assign(signature->begin(), signature->end());
  plan.message.resize(wire::kMaxSignedRoundPlanBytes);
  const auto size = wire::encode(
      wire::SignedRoundPlan{.plan = encoded_plan, .signature = plan.signature}, plan.message);
  if (!size.ok()) throw CoordinatorError(size.status(), "the signed plan does not encode");
  plan.message.resize(*size);
  return plan;
}

std::shared_ptr<const intake::RoundRules> make_rules(Bytes encoded_plan, const Base& base) {
  const auto plan = wire::decode_round_plan(encoded_plan);
  if (!plan.ok()) throw CoordinatorError(Status::kMalformed, "a stored plan does not decode");
  return std::make_shared<const intake::RoundRules>(intake::RoundRules{
      .plan = *plan, .spec = base.spec, .parameter_count = base.parameter_count});
}

}  // namespace skep::coordinator
