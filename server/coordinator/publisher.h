// Where a Candidate becomes a Release: evaluated, judged, signed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan.h"
#include "skep/release/hold_out.h"
#include "skep/release/package.h"
#include "skep/server_flow/flow.h"

namespace skep::coordinator {

/// What a release is beside its content.
struct Edition {
  std::uint32_t version = 0;
  std::uint32_t rolls_back_to = 0;
  std::uint32_t round = 0;
  std::int64_t created_unix_s = 0;
  bool force = false;  ///< Accepted even if it evaluates worse.
};

/// Not thread-safe.
class Publisher {
 public:
  /// The references outlive the Publisher. Loads nothing yet.
  Publisher(const Settings& settings, const seal::SigningKey& key,
            const store::FederationId& federation, const std::string& model_name);

  /// Takes a model of this gateway out of its package, and evaluates it.
  /// Errors: PackageError if it is damaged or signed with another key; ReleaseError.
  Base load_base(const store::Model& model);

  /// The same for a candidate that was published. Errors: CoordinatorError of kCryptoFailed.
  static Base to_base(const server::Candidate& candidate, const server::Release& release);

  /// Candidates that did not come from updates.
  /// Errors: PackageError as release::open_package().
  server::Candidate candidate_from_own(Bytes package);
  /// The signature is not checked. Errors: CoordinatorError as Coordinator::import_model().
  server::Candidate candidate_from_foreign(Bytes package);

  /// The candidate with its step from `base` in the configured number of bits, so that devices
  /// have little to download; what is evaluated and released is exactly that.
  /// Errors: ReleaseError as release::quantise_step().
  [[nodiscard]] server::Candidate quantise_step(server::Candidate candidate,
                                                const Base& base) const;

  /// Accepted unless it classifies fewer hold-out samples right than `base`, by more than the
  /// margin; an autoencoder unless its mean loss is higher than that of `base`, by more than the
  /// margin's part of it. A model of another kind is not compared. Errors: ReleaseError.
  server::Release publish(const server::Candidate& candidate, const Base& base,
                          const Edition& edition);

 private:
  wire::EvaluationMetrics evaluate(const ModelSpec& spec, Bytes weights);
  const release::HoldOut& hold_out_for(const ModelSpec& spec);
  [[nodiscard]] bool is_worse(const ModelSpec& spec, const wire::EvaluationMetrics& candidate,
                              const Base& base) const;

  const Settings& settings_;
  const seal::SigningKey& signing_key_;
  seal::VerifyingKey verifying_key_;
  store::FederationId federation_;
  std::string model_name_;

  // The file is read once for each shape of model, which decides what it must look like.
  std::optional<release::HoldOut> hold_out_;
  std::array<int, 4> hold_out_shape_{};  // inputs, input exponent, outputs, loss
};

}  // namespace skep::coordinator
