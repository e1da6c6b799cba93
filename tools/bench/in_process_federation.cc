#include "in_process_federation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "skep/aggregate/accumulate.h"
#include "skep/aggregate/average.h"
#include "skep/checked/take.h"
#include "skep/core/prng.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/benchmark_models.h"
#include "skep/release/initial_model.h"
#include "skep/seal/crypto.h"
#include "skep/seal/envelope.h"
#include "skep/seal/sha256.h"

namespace skep::bench {
namespace {

using checked::require;
using checked::take;

constexpr std::uint16_t kSamplesPerStep = 1000;
constexpr std::array<std::uint8_t, wire::kFederationBytes> kFederation = {'b', 'e', 'n', 'c', 'h'};

seal::AggregationKey new_aggregation_key() {
  require(seal::initialize_crypto(), "crypto");
  return take(seal::AggregationKey::generate(seal::Kem::kX25519HkdfSha256), "aggregation key");
}

release::HoldOut to_hold_out(const std::vector<demo::Sample>& digits) {
  std::vector<std::int16_t> features;
  std::vector<std::uint16_t> labels;
  for (const demo::Sample& digit : digits) {
    features.insert(features.end(), digit.features.begin(), digit.features.end());
    labels.push_back(digit.label);
  }
  return {std::move(features), std::move(labels)};
}

}  // namespace

/// One device: its samples, its key, and the workspace in which a residual lives on.
struct InProcessFederation::Device final : SampleSource {
  Device(std::string device_name, const std::vector<demo::Sample>& own_digits,
         std::uint32_t workspace_bytes, std::uint32_t training_seed)
      : name(std::move(device_name)),
        digits(own_digits),
        seed(training_seed),
        key(take(seal::SigningKey::generate(), "signing key")),
        workspace(workspace_bytes / sizeof(std::uint64_t) + 1),
        local(*this, std::as_writable_bytes(std::span(workspace))) {}

  std::uint32_t count() override { return static_cast<std::uint32_t>(digits.size()); }
  Status read(std::uint32_t index, std::span<std::int16_t> features,
              std::uint16_t& label) override {
    std::ranges::copy(digits[index].features, features.begin());
    label = digits[index].label;
    return Status::kOk;
  }

  /// A whole local round; the length of the compressed delta goes to `delta_bytes`.
  std::vector<std::uint8_t> take_part(const wire::RoundPlan& plan, const ModelSpec& spec,
                                      Bytes weights, std::size_t& delta_bytes) {
    const SpanSource source(weights);
    require(local.begin({.plan = plan,
                         .spec = spec,
                         .weights = source,
                         .device = name.c_str(),
                         .device_key = key,
                         .seed = mix_seed(seed, plan.round)}),
            "local round");
    while (!take(local.step(kSamplesPerStep), "local round")) {
      if (local.compressed().has_value()) delta_bytes = local.compressed()->bytes().size();
    }
    const Bytes sealed = local.sealed().bytes();
    return {sealed.begin(), sealed.end()};
  }

  std::string name;
  const std::vector<demo::Sample>& digits;
  std::uint32_t seed;
  seal::SigningKey key;
  std::vector<std::uint64_t> workspace;
  round::LocalRound local;
};

/// The gateway's memory: who is enrolled. No update was stored before.
class InProcessFederation::EnrolledDevices final : public intake::Records {
 public:
  void add(const Device& device) {
    senders_[device.name] = {.public_key = take(device.key.public_key(), "public key"),
                             .revoked = false};
  }
  std::optional<intake::Sender> sender(std::string_view device) override {
    const auto found = senders_.find(device);
    return found == senders_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<server::Digest> stored_digest(std::string_view, std::uint32_t) override {
    return std::nullopt;
  }

 private:
  std::map<std::string, intake::Sender, std::less<>> senders_;
};

InProcessFederation::InProcessFederation(const demo::FederatedData& digits,
                                         const demo::RoundRecipe& recipe,
                                         const Compression& compression, std::uint32_t seed)
    : recipe_(recipe),
      compression_(compression),
      spec_(learn_testing::digits_mlp(learn_testing::kDigitsInputExponent)),
      parameter_count_(take(learn::plan_memory(spec_), "plan").parameter_count),
      weights_(release::initial_weights(spec_, seed)),
      aggregation_key_(new_aggregation_key()),
      held_out_(to_hold_out(digits.held_out)),
      enrolled_(std::make_unique<EnrolledDevices>()) {
  const std::uint32_t workspace_bytes =
      take(round::LocalRound::workspace_bytes(spec_, compression), "workspace");
  for (std::uint32_t i = 0; i < digits.devices.size(); ++i) {
    devices_.push_back(std::make_unique<Device>(
        "device-" + std::to_string(i + 1), digits.devices[i], workspace_bytes, mix_seed(seed, i)));
    enrolled_->add(*devices_.back());
  }
}

InProcessFederation::~InProcessFederation() = default;

// As the coordinator makes it, but without a nonce: nobody replays anything here.
wire::RoundPlan InProcessFederation::next_plan() {
  wire::RoundPlan plan{};
  plan.version = wire::kRoundPlanVersion;
  std::ranges::copy(kFederation, plan.federation);
  plan.state = skep_RoundState_ROUND_STATE_OPEN;
  plan.round = ++round_;
  plan.base_version = round_;
  std::ranges::copy(take(seal::sha256(weights_), "digest"), plan.base_digest);
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = recipe_.learning_rate_mantissa;
  plan.learning_rate_shift = recipe_.learning_rate_shift;
  plan.local_epochs = recipe_.local_epochs;
  plan.batch_size = 1;
  plan.clip_norm_q16 = static_cast<std::uint32_t>(recipe_.clip_norm * 65536.0);
  plan.compression = static_cast<skep_Compression>(compression_.mode);
  plan.keep_permille = compression_.keep_permille;
  plan.value_bits = compression_.value_bits;
  plan.kem = seal::kem_to_wire(aggregation_key_.kem());
  plan.aggregation_key.size = static_cast<pb_size_t>(aggregation_key_.public_key().size());
  std::ranges::copy(aggregation_key_.public_key(), plan.aggregation_key.bytes);
  return plan;
}

RoundFigures InProcessFederation::run_round() {
  const intake::RoundRules rules{
      .plan = next_plan(), .spec = spec_, .parameter_count = parameter_count_};
  const intake::Gateway gateway{.federation = kFederation, .key = aggregation_key_};
  aggregate::Accumulator sum(parameter_count_);
  RoundFigures figures;
  for (const auto& device : devices_) {
    std::size_t delta_bytes = 0;
    auto sealed = device->take_part(rules.plan, spec_, weights_, delta_bytes);
    figures.delta_bytes += static_cast<double>(delta_bytes);
    figures.sealed_bytes += static_cast<double>(sealed.size());
    auto outcome = intake::validate({.bytes = std::move(sealed),
                                     .session_device = device->name,
                                     .session_key = take(device->key.public_key(), "public key")},
                                    gateway, &rules, *enrolled_);
    if (const auto* refusal = std::get_if<intake::Refusal>(&outcome)) {
      throw std::runtime_error("update of " + device->name + ": " + refusal->detail);
    }
    require(sum.add(std::get<server::Valid>(outcome)), "sum");
  }
  const auto candidate = take(aggregate::average(sum.total(), spec_, weights_), "average");
  weights_.assign(candidate.weights().begin(), candidate.weights().end());
  const auto metrics = release::evaluate(spec_, weights_, held_out_);
  figures.accuracy = static_cast<double>(metrics.correct_count) / metrics.sample_count;
  figures.delta_bytes /= static_cast<double>(devices_.size());
  figures.sealed_bytes /= static_cast<double>(devices_.size());
  return figures;
}

}  // namespace skep::bench
