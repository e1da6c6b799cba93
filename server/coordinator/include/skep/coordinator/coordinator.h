// The round engine: plan → quorum or deadline → aggregate → evaluate → publish or reject.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "skep/audit/record.h"
#include "skep/bytes.h"
#include "skep/compression.h"
#include "skep/coordinator/error.h"
#include "skep/intake/rules.h"
#include "skep/seal/envelope.h"
#include "skep/seal/signature.h"
#include "skep/status.h"

namespace skep::coordinator {

/// The sections [round], [evaluation] and [release] of skepd.toml.
struct Settings {
  std::uint32_t quorum = 20;          ///< Updates that close a round, ≥ minimum_updates.
  std::uint32_t deadline_s = 600;     ///< Then minimum_updates are enough; 0 = no deadline.
  std::uint32_t minimum_updates = 1;  ///< ≥ 1. Fewer are never aggregated.
  std::uint32_t max_rounds = 0;       ///< Rounds to aggregate in all, then idle; 0 = no end.
  std::uint32_t learning_rate_mantissa = 1638;  ///< These as in RoundPlan.
  std::uint32_t learning_rate_shift = 15;
  std::uint32_t local_epochs = 1;
  std::uint32_t max_local_steps = 0;
  std::uint32_t clip_norm_q16 = 1U << 16U;
  CompressionMode compression = CompressionMode::kTopK;
  std::uint32_t keep_permille = 100;  ///< Of the modes that have K.
  std::uint32_t value_bits = 16;      ///< Of the modes that leave it to the plan.
  std::uint32_t momentum_q15 = 0;
  std::uint32_t proximal_mu_q16 = 0;
  std::filesystem::path hold_out;  ///< CSV; empty = nothing is evaluated, all is released.
  /// Of the hold-out samples, or of an autoencoder's mean loss; more is rejected.
  std::uint32_t max_accuracy_drop_permille = 20;
  /// Bits of each value of a release's step, 2 … 16 (release::quantise_step()); 0 = exact steps.
  std::uint32_t step_bits = 5;
  unsigned workers = 0;  ///< Threads that open updates; 0 = one for each core.
};

/// All outlive the Coordinator.
struct Keys {
  const seal::SigningKey& signing;
  const seal::AggregationKey& aggregation;
};

/// What GET /skep/v1/round serves. Immutable.
struct PublishedPlan {
  std::vector<std::uint8_t> bytes;  ///< An encoded SignedRoundPlan.
  std::uint32_t round = 0;
  std::uint32_t base_version = 0;
  bool open = false;  ///< False: idle.
};

struct RoundStatus {
  std::uint32_t round = 0;
  bool open = false;  ///< False: idle.
  std::uint32_t base_version = 0;
  std::uint32_t quorum = 0;
  std::uint32_t received = 0;
  std::optional<std::int64_t> deadline_in_s;  ///< ≥ 0; none without a deadline or when idle.
};

/// One line of the table of rounds.
struct RoundSummary {
  std::uint32_t round = 0;
  std::uint32_t base_version = 0;
  std::string state;    ///< "open", "aggregating" or "closed".
  std::string outcome;  ///< "open", "released", "rejected", "rolled_back" or "abandoned".
  std::uint32_t received = 0;
  std::uint64_t refused = 0;
  std::uint64_t bytes_up = 0;            ///< Sealed bytes of the stored updates.
  std::uint64_t bytes_down = 0;          ///< As told to count_download().
  std::optional<double> mean_loss;       ///< Nats, of the base on the devices' samples.
  std::optional<std::uint32_t> version;  ///< The model that it made.
  std::optional<double> accuracy;        ///< Of that model on the hold-out set, 0 … 1; an
                                         ///< autoencoder has none.
};

/// What an operator's command did.
struct Outcome {
  std::uint32_t round = 0;    ///< The round that it closed, 0 = none was open.
  std::uint32_t version = 0;  ///< The model version that it made, 0 = none.
  bool released = false;      ///< False: evaluated worse and kept as rejected, or none was made.
  std::optional<double> accuracy;
};

/// Owns the open round. All functions may be called from any thread; those that change the model
/// run on the coordinator's own thread, one after the other, and their callers wait.
///
/// A restart resumes the open round with its stored plan and nonce. The released weights depend
/// on nothing but the base weights and the set of updates.
class Coordinator final : public intake::RoundGate {
 public:
  /// Resumes or opens a round; an aggregation that was interrupted is repeated.
  ///
  /// Errors: CoordinatorError of kInvalidArgument naming the setting that is out of range, of
  /// kNotFound if there is no released model; StoreError; ReleaseError of the hold-out set.
  Coordinator(const std::filesystem::path& database, const Settings& settings, const Keys& keys,
              std::int64_t now_unix_s);

  /// Finishes what its thread is doing.
  ~Coordinator();

  /// Never null.
  [[nodiscard]] std::shared_ptr<const PublishedPlan> signed_plan() const;

  /// The package that devices get: of the served model if `version` is 0 or its version (then the
  /// same object for all callers), of an older released one otherwise. Null if it does not exist
  /// or was rejected. Errors: StoreError.
  [[nodiscard]] std::shared_ptr<const std::vector<std::uint8_t>> model_package(
      std::uint32_t version);

  /// Called on the coordinator's thread after signed_plan() changed; it must not call back into
  /// functions that wait. At most one; set before the first tick().
  void on_plan_changed(std::function<void()> callback);

  /// Tells the time; closes the round if its deadline has passed. Call about once a second.
  void tick(std::int64_t now_unix_s);

  /// Adds to bytes_down of `round`, e.g. of signed_plan()->round.
  void count_download(std::uint32_t round, std::uint64_t bytes);

  // ---- the operator's commands; they wait for an aggregation that is running. What they do is in
  //      the audit log as done by `actor`, in the transaction that does it.

  /// Aggregates what there is. `force` releases it even if it evaluates worse.
  ///
  /// Errors: CoordinatorError of kWrongRound if no round is open, of kRejected if there are fewer
  /// than minimum_updates, of kInternal if it failed (the log says why); StoreError.
  Outcome aggregate_now(bool force, const audit::Actor& actor = {});

  /// Publishes a new, higher version with the weights of `to_version` and starts a new round; the
  /// updates of the open one are dropped.
  ///
  /// Errors: CoordinatorError of kNotFound if it does not exist, of kRejected if it is a rejected
  /// one, of kInvalidArgument if it is the served one; StoreError.
  Outcome rollback(std::uint32_t to_version, const audit::Actor& actor = {});

  /// Evaluates, signs and publishes the model in `package` as a new, higher version and starts a
  /// new round. The package's signature is the caller's to check: it may be another gateway's.
  ///
  /// Errors: CoordinatorError of kMalformed, kTooLarge, kUnsupported, kUnsupportedVersion,
  /// kBadDigest for the package; of kInvalidArgument if the hold-out set does not fit its spec;
  /// StoreError. A model that evaluates worse is no error: released is false.
  Outcome import_model(Bytes package, bool force, const audit::Actor& actor = {});

  // ---- for people

  [[nodiscard]] RoundStatus status();
  [[nodiscard]] std::vector<RoundSummary> rounds();

  // ---- for intake

  [[nodiscard]] std::shared_ptr<const intake::RoundRules> open_round() const override;
  void updates_stored(std::uint32_t round, std::uint32_t count) override;
  void update_refused() override;

  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace skep::coordinator
