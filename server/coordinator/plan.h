// What a round asks of the devices, from the settings and the model that is served.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "skep/coordinator/coordinator.h"
#include "skep/intake/rules.h"
#include "skep/store/store.h"
#include "skep/wire/codec.h"

namespace skep::coordinator {

/// The released model that devices train from, taken out of its package.
struct Base {
  std::uint32_t version = 0;
  ModelSpec spec;
  std::uint32_t parameter_count = 0;
  std::vector<std::uint8_t> weights;
  store::Digest weights_digest{};
  wire::EvaluationMetrics evaluation{};  ///< On the hold-out set; sample_count 0 without one.
  std::shared_ptr<const std::vector<std::uint8_t>> package;
};

/// Errors: CoordinatorError of kInvalidArgument naming the setting that is out of range.
void check(const Settings& settings);

/// A plan with a new nonce. `round` ≥ 1.
///
/// Errors: CoordinatorError of kTooLarge if an update of this model with these settings could
/// exceed kMaxUpdateBytes; of kNoEntropy; of kInternal.
wire::RoundPlan make_plan(const Settings& settings, const store::FederationId& federation,
                          const Base& base, const seal::AggregationKey& key, std::uint32_t round,
                          skep_RoundState state);

/// Whether updates that answer `plan` can still be used: it is for this base and this key.
[[nodiscard]] bool is_current(const wire::RoundPlan& plan, const Base& base,
                              const seal::AggregationKey& key);

/// Errors: CoordinatorError of kInternal.
std::vector<std::uint8_t> encode_plan(const wire::RoundPlan& plan);

/// The plan with its signature, in both forms.
struct SignedPlan {
  std::vector<std::uint8_t> signature;
  std::vector<std::uint8_t> message;  ///< An encoded SignedRoundPlan.
};

/// Errors: CoordinatorError of kCryptoFailed.
SignedPlan sign_plan(Bytes encoded_plan, const seal::SigningKey& key);

/// Errors: CoordinatorError of kMalformed if the stored plan does not decode.
std::shared_ptr<const intake::RoundRules> make_rules(Bytes encoded_plan, const Base& base);

}  // namespace skep::coordinator
