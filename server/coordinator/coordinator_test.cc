// The round engine with a real database, real intake and devices that train with the real SDK.
#include "skep/coordinator/coordinator.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "skep/intake/intake.h"
#include "skep/intake_testing/federation.h"
#include "skep/release/package.h"
#include "skep/seal/sha256.h"
#include "skep/seal/verifiers.h"
#include "skep/store/store.h"

namespace skep::coordinator {
namespace {

using intake_testing::Departures;
using intake_testing::Federation;

constexpr std::int64_t kStart = 1'700'000'000;

/// A gateway without its network: coordinator and intake on one database.
class Gateway {
 public:
  Gateway(const Federation& federation, const Settings& settings)
      : federation_(federation),
        coordinator(
            federation.database(), settings,
            {.signing = federation.signing_key(), .aggregation = federation.aggregation_key()},
            kStart),
        intake(federation.database(), {.workers = 2, .now_unix_s = [] { return kStart; }},
               federation.aggregation_key(), coordinator) {
    coordinator.on_plan_changed([this] {
      const std::lock_guard lock(mutex_);
      ++changes_;
      changed_.notify_all();
    });
  }

  /// What a device sees: verified with the federation's public key.
  [[nodiscard]] wire::RoundPlan plan() const {
    const auto plan = seal::PlanVerifier::verify(coordinator.signed_plan()->bytes, verifying_key());
    if (!plan.ok()) throw std::runtime_error(to_string(plan.status()));
    return **plan;
  }
  [[nodiscard]] release::OpenedPackage model(std::uint32_t version = 0) {
    return release::open_package(*coordinator.model_package(version), verifying_key());
  }

  Status send(unsigned device, std::vector<std::uint8_t> update) {
    if (const Status status = intake.submit(federation_.receive(device, std::move(update)), 1);
        status != Status::kOk) {
      return status;
    }
    pollfd descriptor{.fd = intake.answers_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&descriptor, 1, 60'000) != 1) throw std::runtime_error("no answer");
    return intake.take_answers().at(0).status;
  }
  /// The device takes part in the open round.
  Status answer(unsigned device, Departures departures = {}) {
    departures.seed = device + 1;
    return send(device, federation_.seal(device, plan(), departures, model().weights));
  }

  void wait_for_changes(int count) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::minutes(1), [&] { return changes_ >= count; })) {
      throw std::runtime_error("the plan does not change");
    }
  }
  int changes() {
    const std::lock_guard lock(mutex_);
    return changes_;
  }

 private:
  [[nodiscard]] seal::VerifyingKey verifying_key() const {
    return *seal::VerifyingKey::from_bytes(*federation_.signing_key().public_key());
  }

  const Federation& federation_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;

 public:
  Coordinator coordinator;
  intake::Intake intake;
};

Settings make_settings() {
  Settings settings;
  settings.quorum = 3;
  settings.deadline_s = 60;
  settings.keep_permille = 1000;
  settings.clip_norm_q16 = 64U << 16U;
  return settings;
}

std::vector<std::uint8_t> make_package(const Federation& federation, const ModelSpec& spec,
                                       Bytes weights, const seal::SigningKey& key) {
  release::ManifestFields fields;
  fields.federation = federation.id();
  fields.model_name = "digits";
  fields.model_version = 1;
  fields.spec = spec;
  fields.created_unix_s = 1;
  return release::build_package(fields, weights, key);
}

template <typename Call>
Status error_of(Call call) {
  try {
    call();
  } catch (const CoordinatorError& error) {
    EXPECT_STRNE(error.what(), "");
    return error.status();
  }
  return Status::kOk;
}

class CoordinatorTest : public ::testing::Test {
 protected:
  static void insert_first_model(const Federation& federation) {
    federation.open().insert_model(
        {.version = 1,
         .package = make_package(federation, federation.spec(), federation.weights(),
                                 federation.signing_key())});
  }
  CoordinatorTest() { insert_first_model(federation_); }

  void use_hold_out() {
    settings_.hold_out = federation_.folder() / "holdout.csv";
    intake_testing::write_hold_out(settings_.hold_out, federation_.spec(), 200);
  }

  static store::Revocation revocation_of(const char* device) {
    return {.device = device,
            .reason = store::RevocationReason::kKeyCompromise,
            .revoked_by = "operator",
            .revoked_unix_s = kStart};
  }
  /// What the audit log says of them.
  static std::vector<std::string> closed_rounds(store::Store& store) {
    std::vector<std::string> found;
    for (const audit::Record& record : store.audit_records(0, 1000)) {
      if (record.entry.event == audit::Event::kRoundClosed) found.push_back(record.entry.after);
    }
    return found;
  }
  void revoke(const char* device) { federation_.open().revoke_device(revocation_of(device)); }

  Federation federation_{6};
  Settings settings_ = make_settings();
};

TEST_F(CoordinatorTest, OpensARoundWithASignedPlan) {
  settings_.local_epochs = 3;
  settings_.value_bits = 9;
  Gateway gateway(federation_, settings_);
  const wire::RoundPlan plan = gateway.plan();
  EXPECT_EQ(plan.state, skep_RoundState_ROUND_STATE_OPEN);
  EXPECT_EQ(plan.round, 1U);
  EXPECT_EQ(plan.base_version, 1U);
  EXPECT_TRUE(std::ranges::equal(plan.base_digest, *seal::sha256(federation_.weights())));
  EXPECT_EQ(plan.local_epochs, 3U);
  EXPECT_EQ(plan.value_bits, 9U);
  EXPECT_EQ(plan.deadline_ms, 60'000U);
  EXPECT_TRUE(std::ranges::equal(wire::bytes_of(plan.aggregation_key),
                                 federation_.aggregation_key().public_key()));
  const RoundStatus status = gateway.coordinator.status();
  EXPECT_TRUE(status.open);
  EXPECT_EQ(status.round, 1U);
  EXPECT_EQ(status.quorum, 3U);
  EXPECT_EQ(status.received, 0U);
  EXPECT_EQ(status.deadline_in_s, 60);
  EXPECT_EQ(gateway.coordinator.model_package(1), gateway.coordinator.model_package(0));
  EXPECT_EQ(gateway.coordinator.model_package(2), nullptr);
}

TEST_F(CoordinatorTest, PlanSaysHowToCompressAndOptimise) {
  settings_.momentum_q15 = 29491;
  settings_.proximal_mu_q16 = 655;
  settings_.compression = CompressionMode::kTernary;
  settings_.keep_permille = 50;
  const wire::RoundPlan ternary = Gateway(federation_, settings_).plan();
  EXPECT_EQ(ternary.version, 2U);
  EXPECT_EQ(ternary.compression, skep_Compression_COMPRESSION_TERNARY);
  EXPECT_EQ(ternary.keep_permille, 50U);
  EXPECT_EQ(ternary.value_bits, 0U) << "which ternary does not have";
  EXPECT_EQ(ternary.momentum_q15, 29491U);
  EXPECT_EQ(ternary.proximal_mu_q16, 655U);

  settings_.momentum_q15 = 32768;
  EXPECT_EQ(error_of([&] { Gateway(federation_, settings_); }), Status::kInvalidArgument);
}

// Each mode's devices, gateway, exact sum and new model; what they learn shows on held-out samples.
TEST_F(CoordinatorTest, LearnsWithEveryCompression) {
  for (const CompressionMode mode :
       {CompressionMode::kTopK, CompressionMode::kTernary, CompressionMode::kInt8,
        CompressionMode::kEden, CompressionMode::kRandomK}) {
    SCOPED_TRACE(name_of(mode));
    Federation federation(6);
    insert_first_model(federation);
    Settings settings = settings_;
    settings.compression = mode;
    settings.keep_permille = 500;
    settings.hold_out = federation.folder() / "holdout.csv";
    settings.max_accuracy_drop_permille = 1000;
    intake_testing::write_hold_out(settings.hold_out, federation.spec(), 200);
    Gateway gateway(federation, settings);
    for (int round = 1; round <= 4; ++round) {
      for (unsigned device = 0; device < 3; ++device) {
        ASSERT_EQ(gateway.answer(device, {.sample_count = 200}), Status::kOk);
      }
      gateway.wait_for_changes(round);
    }
    EXPECT_GT(gateway.model().manifest.evaluation.correct_count, 190U);
  }
}

TEST_F(CoordinatorTest, QuorumReleasesANewModel) {
  Gateway gateway(federation_, settings_);
  const wire::RoundPlan first = gateway.plan();
  std::uint64_t bytes_up = 0;
  for (unsigned device = 0; device < 3; ++device) {
    const auto update = federation_.seal(device, first, {.sample_count = 10 + device});
    bytes_up += update.size();
    ASSERT_EQ(gateway.send(device, update), Status::kOk);
  }
  gateway.wait_for_changes(1);
  const wire::RoundPlan second = gateway.plan();
  EXPECT_EQ(second.round, 2U);
  EXPECT_EQ(second.base_version, 2U);
  EXPECT_FALSE(std::ranges::equal(second.nonce, first.nonce));
  const auto model = gateway.model();
  EXPECT_EQ(model.manifest.model_version, 2U);
  EXPECT_EQ(model.manifest.round, 1U);
  EXPECT_EQ(model.manifest.contributor_count, 3U);
  EXPECT_NE(model.weights, federation_.weights());
  EXPECT_TRUE(std::ranges::equal(second.base_digest, *seal::sha256(model.weights)));

  const auto rounds = gateway.coordinator.rounds();
  ASSERT_EQ(rounds.size(), 2U);
  EXPECT_EQ(rounds[0].outcome, "released");
  EXPECT_EQ(rounds[0].state, "closed");
  EXPECT_EQ(rounds[0].received, 3U);
  EXPECT_EQ(rounds[0].bytes_up, bytes_up);
  EXPECT_EQ(rounds[0].version, 2U);
  EXPECT_NEAR(*rounds[0].mean_loss, 70000 / 65536.0, 1e-9);
  EXPECT_FALSE(rounds[0].accuracy);
  EXPECT_EQ(rounds[1].outcome, "open");
  EXPECT_FALSE(rounds[1].mean_loss);

  store::Store store = federation_.open();
  EXPECT_TRUE(store.update("device-0", 1)->sealed.empty());
  EXPECT_TRUE(store.model(1));
  // A straggler of the closed round.
  EXPECT_EQ(gateway.send(3, federation_.seal(3, first)), Status::kWrongRound);
}

TEST_F(CoordinatorTest, ReleasedWeightsDependOnTheSetOfUpdatesOnly) {
  std::vector<std::vector<std::uint8_t>> results;
  for (const unsigned first : {0U, 2U, 4U}) {
    Federation federation(6);  // Other keys, nonces and sealed bytes each time.
    insert_first_model(federation);
    Settings settings = settings_;
    settings.quorum = 5;
    settings.workers = 1 + first;
    Gateway gateway(federation, settings);
    for (unsigned i = 0; i < 5; ++i) {
      const unsigned device = (first + i * 2) % 5;
      ASSERT_EQ(gateway.answer(device, {.sample_count = 5 + device * 7}), Status::kOk);
    }
    gateway.wait_for_changes(1);
    results.push_back(gateway.model().weights);
  }
  EXPECT_EQ(results[1], results[0]);
  EXPECT_EQ(results[2], results[0]);
}

TEST_F(CoordinatorTest, DeadlineClosesTheRoundIfThereAreEnough) {
  settings_.minimum_updates = 2;
  Gateway gateway(federation_, settings_);
  ASSERT_EQ(gateway.answer(0), Status::kOk);
  gateway.coordinator.tick(kStart + 61);
  EXPECT_EQ(gateway.coordinator.status().deadline_in_s, 0);
  EXPECT_EQ(error_of([&] { gateway.coordinator.aggregate_now(false); }), Status::kRejected);
  EXPECT_EQ(gateway.coordinator.status().round, 1U);
  ASSERT_EQ(gateway.answer(1), Status::kOk);
  gateway.wait_for_changes(1);
  EXPECT_EQ(gateway.model().manifest.contributor_count, 2U);
  EXPECT_EQ(gateway.coordinator.status().deadline_in_s, 60);
}

TEST_F(CoordinatorTest, OperatorAggregatesBelowQuorum) {
  Gateway gateway(federation_, settings_);
  EXPECT_EQ(error_of([&] { gateway.coordinator.aggregate_now(true); }), Status::kRejected);
  ASSERT_EQ(gateway.answer(0), Status::kOk);
  const Outcome outcome = gateway.coordinator.aggregate_now(false);
  EXPECT_EQ(outcome.round, 1U);
  EXPECT_EQ(outcome.version, 2U);
  EXPECT_TRUE(outcome.released);
  EXPECT_EQ(gateway.plan().round, 2U);
}

TEST_F(CoordinatorTest, RestartResumesTheRoundWithItsNonce) {
  std::vector<std::uint8_t> before;
  {
    Gateway gateway(federation_, settings_);
    ASSERT_EQ(gateway.answer(0), Status::kOk);
    ASSERT_EQ(gateway.answer(1), Status::kOk);
    before = gateway.coordinator.signed_plan()->bytes;
    gateway.coordinator.count_download(1, 1000);
    ASSERT_EQ(gateway.send(2, {1, 2, 3}), Status::kMalformed);
  }
  {
    Gateway gateway(federation_, settings_);
    EXPECT_EQ(gateway.coordinator.signed_plan()->bytes, before);
    EXPECT_EQ(gateway.coordinator.status().received, 2U);
    EXPECT_EQ(gateway.coordinator.rounds().at(0).bytes_down, 1000U);
    EXPECT_EQ(gateway.coordinator.rounds().at(0).refused, 1U);
    gateway.coordinator.count_download(1, 5);
    EXPECT_EQ(gateway.coordinator.rounds().at(0).bytes_down, 1005U);
    ASSERT_EQ(gateway.answer(2), Status::kOk);
    gateway.wait_for_changes(1);
    EXPECT_EQ(gateway.model().manifest.contributor_count, 3U);
    EXPECT_EQ(gateway.coordinator.rounds().at(0).bytes_down, 1005U);
  }
}

/// Waits for round 2 without the callback, which a change at start-up may precede.
void wait_for_round(Coordinator& coordinator, std::uint32_t round) {
  for (int i = 0; i < 6000 && coordinator.signed_plan()->round < round; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_EQ(coordinator.signed_plan()->round, round);
}

TEST_F(CoordinatorTest, RestartAggregatesIfTheQuorumIsMet) {
  settings_.quorum = 6;
  {
    Gateway gateway(federation_, settings_);
    ASSERT_EQ(gateway.answer(0), Status::kOk);
    ASSERT_EQ(gateway.answer(1), Status::kOk);
  }
  settings_.quorum = 2;
  Gateway gateway(federation_, settings_);
  wait_for_round(gateway.coordinator, 2);
  EXPECT_EQ(gateway.model().manifest.contributor_count, 2U);
}

TEST_F(CoordinatorTest, InterruptedAggregationIsRepeatedToTheSameWeights) {
  std::vector<std::vector<std::uint8_t>> results;
  for (const bool interrupted : {false, true}) {
    Federation federation(6);
    insert_first_model(federation);
    {
      Gateway gateway(federation, settings_);
      ASSERT_EQ(gateway.answer(0), Status::kOk);
      ASSERT_EQ(gateway.answer(1), Status::kOk);
    }
    // As a crash between the two transactions of an aggregation leaves it.
    if (interrupted) federation.open().begin_aggregation(1);
    Gateway gateway(federation, settings_);
    if (!interrupted) gateway.coordinator.aggregate_now(false);
    wait_for_round(gateway.coordinator, 2);
    results.push_back(gateway.model().weights);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(CoordinatorTest, WorseModelIsRejectedAndForceReleasesIt) {
  use_hold_out();
  Gateway gateway(federation_, settings_);
  for (unsigned device = 0; device < 3; ++device) {
    ASSERT_EQ(gateway.answer(device, {.sample_count = 400}), Status::kOk);
  }
  gateway.wait_for_changes(1);
  const auto good = gateway.model();
  ASSERT_EQ(good.manifest.model_version, 2U);
  ASSERT_EQ(good.manifest.evaluation.sample_count, 200U);
  ASSERT_GT(good.manifest.evaluation.correct_count, 190U);

  for (unsigned device = 0; device < 3; ++device) {
    ASSERT_EQ(gateway.answer(device, {.sample_count = 800, .wrong_labels = true}), Status::kOk);
  }
  gateway.wait_for_changes(2);
  const auto rounds = gateway.coordinator.rounds();
  EXPECT_EQ(rounds.at(1).outcome, "rejected");
  EXPECT_EQ(rounds.at(1).version, 3U);
  EXPECT_LT(*rounds.at(1).accuracy, 0.5);
  EXPECT_EQ(gateway.plan().round, 3U);
  EXPECT_EQ(gateway.plan().base_version, 2U);
  EXPECT_EQ(gateway.model().weights, good.weights);
  EXPECT_EQ(gateway.coordinator.model_package(3), nullptr);
  EXPECT_EQ(federation_.open().model(3)->state, store::Model::kRejected);
  EXPECT_EQ(error_of([&] { gateway.coordinator.rollback(3); }), Status::kRejected);

  ASSERT_EQ(gateway.answer(0, {.sample_count = 800, .wrong_labels = true}), Status::kOk);
  const Outcome outcome = gateway.coordinator.aggregate_now(true);
  EXPECT_TRUE(outcome.released);
  EXPECT_EQ(outcome.version, 4U);
  EXPECT_LT(*outcome.accuracy, 0.5);
  EXPECT_EQ(gateway.plan().base_version, 4U);

  const Outcome back = gateway.coordinator.rollback(2);
  EXPECT_EQ(back.version, 5U);
  EXPECT_GT(*back.accuracy, 0.95);
  EXPECT_EQ(gateway.model().weights, good.weights);
}

TEST_F(CoordinatorTest, RollbackIsANewVersionAndDropsTheOpenRound) {
  Gateway gateway(federation_, settings_);
  ASSERT_EQ(gateway.answer(0), Status::kOk);
  gateway.coordinator.aggregate_now(false);
  ASSERT_EQ(gateway.answer(1), Status::kOk);
  EXPECT_EQ(error_of([&] { gateway.coordinator.rollback(2); }), Status::kInvalidArgument);
  EXPECT_EQ(error_of([&] { gateway.coordinator.rollback(9); }), Status::kNotFound);

  const Outcome outcome = gateway.coordinator.rollback(1);
  EXPECT_EQ(outcome.round, 2U);
  EXPECT_EQ(outcome.version, 3U);
  const auto model = gateway.model();
  EXPECT_EQ(model.manifest.model_version, 3U);
  EXPECT_EQ(model.manifest.rolls_back_to, 1U);
  EXPECT_EQ(model.manifest.round, 0U);
  EXPECT_EQ(model.weights, federation_.weights());
  EXPECT_EQ(gateway.plan().round, 3U);
  EXPECT_EQ(gateway.plan().base_version, 3U);
  EXPECT_EQ(gateway.coordinator.status().received, 0U);
  EXPECT_EQ(gateway.coordinator.rounds().at(1).outcome, "rolled_back");
  EXPECT_EQ(gateway.model(2).manifest.model_version, 2U);  // Every version is kept.
  EXPECT_EQ(gateway.answer(1), Status::kOk);
}

TEST_F(CoordinatorTest, ImportIsEvaluatedSignedAnewAndMayChangeTheModel) {
  Gateway gateway(federation_, settings_);
  ASSERT_EQ(gateway.answer(0), Status::kOk);
  const auto foreign_key = *seal::SigningKey::generate();
  const Federation other(0, Federation::digits_model());
  auto package = make_package(other, other.spec(), other.weights(), foreign_key);
  const Outcome outcome = gateway.coordinator.import_model(package, false);
  EXPECT_TRUE(outcome.released);
  EXPECT_EQ(outcome.round, 1U);
  EXPECT_EQ(outcome.version, 2U);
  EXPECT_EQ(gateway.model().weights, other.weights());
  EXPECT_EQ(gateway.coordinator.rounds().at(0).outcome, "abandoned");

  package.back() ^= 1;
  EXPECT_EQ(error_of([&] { gateway.coordinator.import_model(package, true); }), Status::kBadDigest);
  package.resize(package.size() / 2);
  EXPECT_EQ(error_of([&] { gateway.coordinator.import_model(package, true); }), Status::kMalformed);
  EXPECT_EQ(gateway.plan().base_version, 2U);
  EXPECT_EQ(federation_.open().last_model_version(), 2U);
}

TEST_F(CoordinatorTest, WorseImportIsKeptAsRejectedAndLeavesTheRoundOpen) {
  use_hold_out();
  Gateway gateway(federation_, settings_);
  ASSERT_EQ(gateway.answer(0, {.sample_count = 400}), Status::kOk);
  ASSERT_GT(*gateway.coordinator.aggregate_now(false).accuracy, 0.95);
  const auto plan = gateway.coordinator.signed_plan();
  const auto untrained = make_package(federation_, federation_.spec(), federation_.weights(),
                                      federation_.signing_key());
  EXPECT_FALSE(gateway.coordinator.import_model(untrained, false).released);
  EXPECT_EQ(gateway.coordinator.signed_plan(), plan);
  EXPECT_EQ(federation_.open().model(3)->state, store::Model::kRejected);
  EXPECT_TRUE(gateway.coordinator.import_model(untrained, true).released);
  EXPECT_EQ(gateway.plan().base_version, 4U);
}

TEST_F(CoordinatorTest, AnAutoencoderHasNoAccuracyAndIsJudgedByItsLoss) {
  use_hold_out();
  Gateway gateway(federation_, settings_);
  ModelSpec spec;
  spec.inputs = 4;
  spec.input_exponent = -14;
  spec.loss = Loss::kMeanSquaredError;
  spec.layer_count = 1;
  spec.layers[0] = {LayerKind::kDense, 4};
  // Exponent 0, so a weight of 1 is 1.
  const std::vector<std::uint8_t> zeros(2 + 2 * 16 + 4 * 4);
  std::vector<std::uint8_t> identity = zeros;
  for (std::size_t i = 0; i < 4; ++i) identity[2 + 2 * 5 * i] = 1;
  const auto import = [&](const std::vector<std::uint8_t>& weights, bool force) {
    return gateway.coordinator.import_model(
        make_package(federation_, spec, weights, federation_.signing_key()), force);
  };
  // The served model is a classifier: there is nothing to compare.
  const Outcome first = import(identity, false);
  EXPECT_TRUE(first.released);
  EXPECT_FALSE(first.accuracy.has_value());
  EXPECT_FALSE(import(zeros, false).released);
  EXPECT_TRUE(import(zeros, true).released);
  EXPECT_TRUE(import(identity, false).released);
  const wire::EvaluationMetrics evaluation = gateway.model().manifest.evaluation;
  EXPECT_GT(evaluation.sample_count, 0U);
  EXPECT_EQ(evaluation.correct_count, 0U);
  EXPECT_EQ(evaluation.mean_loss_q16, 0U);
}

TEST_F(CoordinatorTest, AfterTheLastRoundThePlanIsIdle) {
  settings_.max_rounds = 1;
  {
    Gateway gateway(federation_, settings_);
    ASSERT_EQ(gateway.answer(0), Status::kOk);
    gateway.coordinator.aggregate_now(false);
    EXPECT_EQ(gateway.plan().state, skep_RoundState_ROUND_STATE_IDLE);
    EXPECT_EQ(gateway.plan().base_version, 2U);
    EXPECT_FALSE(gateway.coordinator.status().open);
    EXPECT_FALSE(gateway.coordinator.status().deadline_in_s);
    EXPECT_EQ(gateway.answer(1), Status::kWrongRound);
    EXPECT_EQ(error_of([&] { gateway.coordinator.aggregate_now(true); }), Status::kWrongRound);
    gateway.coordinator.rollback(1);
    EXPECT_EQ(gateway.plan().state, skep_RoundState_ROUND_STATE_IDLE);
    EXPECT_EQ(gateway.plan().base_version, 3U);
  }
  settings_.max_rounds = 2;
  Gateway gateway(federation_, settings_);
  EXPECT_EQ(gateway.plan().state, skep_RoundState_ROUND_STATE_OPEN);
  EXPECT_EQ(gateway.plan().round, 2U);
}

TEST_F(CoordinatorTest, UpdatesOfRevokedDevicesAreLeftOut) {
  Gateway gateway(federation_, settings_);
  ASSERT_EQ(gateway.answer(0), Status::kOk);
  ASSERT_EQ(gateway.answer(1), Status::kOk);
  revoke("device-1");
  ASSERT_EQ(gateway.answer(2), Status::kOk);
  EXPECT_EQ(gateway.coordinator.status().received, 2U);
  ASSERT_EQ(gateway.answer(3), Status::kOk);
  gateway.wait_for_changes(1);
  EXPECT_EQ(gateway.model().manifest.contributor_count, 3U);
  EXPECT_EQ(gateway.changes(), 1);
}

/// Waits for a line of the log.
class LogWatch final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LogWatch(std::string text) : text_(std::move(text)) {}
  void wait() {
    if (seen_.get_future().wait_for(std::chrono::minutes(1)) != std::future_status::ready) {
      throw std::runtime_error("not logged: " + text_);
    }
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view payload(message.payload.data(), message.payload.size());
    if (!done_ && payload.find(text_) != std::string_view::npos) {
      done_ = true;
      seen_.set_value();
    }
  }
  void flush_() override {}

  std::string text_;
  bool done_ = false;
  std::promise<void> seen_;
};

// The revocation is committed after the sum was made and before the round is closed.
TEST_F(CoordinatorTest, ARevocationDuringTheAggregationLeavesTheExactSumOfTheOthers) {
  settings_.quorum = 10;
  {
    Gateway gateway(federation_, settings_);
    for (unsigned device = 0; device < 4; ++device) {
      ASSERT_EQ(gateway.answer(device), Status::kOk);
    }
  }
  federation_.open().begin_aggregation(1);  // so that the next one to run repeats it
  const auto copy = federation_.folder() / "without.db";
  std::filesystem::copy_file(federation_.database(), copy);

  std::vector<std::uint8_t> weights;
  const auto watch = std::make_shared<LogWatch>("the updates of 4 devices are summed");
  spdlog::default_logger()->sinks().push_back(watch);
  {
    store::Store store = federation_.open();
    store::Transaction lock(store);  // the round cannot be closed before its commit
    store.revoke_device(revocation_of("device-1"));
    Gateway gateway(federation_, settings_);
    watch->wait();
    lock.commit();
    gateway.wait_for_changes(1);
    EXPECT_EQ(gateway.model(2).manifest.contributor_count, 3U);
    weights = gateway.model(2).weights;
    EXPECT_EQ(gateway.coordinator.rounds().at(0).received, 3U);
    // Neither does the record of it name the device, nor is there one of the first attempt.
    EXPECT_EQ(closed_rounds(store),
              std::vector<std::string>{"released; contributors device-0,device-2,device-3"});
  }
  spdlog::default_logger()->sinks().pop_back();

  store::Store::open(copy).revoke_device(revocation_of("device-1"));
  Coordinator without(
      copy, settings_,
      {.signing = federation_.signing_key(), .aggregation = federation_.aggregation_key()}, kStart);
  // Answered when the aggregation is finished: the next round has no updates.
  EXPECT_EQ(error_of([&] { without.aggregate_now(false); }), Status::kRejected);
  const auto expected = release::open_package(
      *without.model_package(2),
      *seal::VerifyingKey::from_bytes(*federation_.signing_key().public_key()));
  EXPECT_EQ(weights, expected.weights);
}

TEST_F(CoordinatorTest, RoundOfAnotherAggregationKeyIsAbandoned) {
  {
    Gateway gateway(federation_, settings_);
    ASSERT_EQ(gateway.answer(0), Status::kOk);
  }
  const auto other = *seal::AggregationKey::generate(seal::Kem::kP256HkdfSha256);
  Coordinator coordinator(federation_.database(), settings_,
                          {.signing = federation_.signing_key(), .aggregation = other}, kStart);
  EXPECT_EQ(coordinator.rounds().at(0).outcome, "abandoned");
  EXPECT_EQ(coordinator.status().round, 2U);
}

TEST_F(CoordinatorTest, BadSettingsAreNamed) {
  const auto start = [this] {
    const Coordinator coordinator(
        federation_.database(), settings_,
        {.signing = federation_.signing_key(), .aggregation = federation_.aggregation_key()},
        kStart);
  };
  for (auto [name, member] :
       std::initializer_list<std::pair<const char*, std::uint32_t Settings::*>>{
           {"minimum_updates", &Settings::minimum_updates},
           {"quorum", &Settings::quorum},
           {"learning_rate_mantissa", &Settings::learning_rate_mantissa},
           {"local_epochs", &Settings::local_epochs},
           {"clip_norm_q16", &Settings::clip_norm_q16},
           {"keep_permille", &Settings::keep_permille},
           {"value_bits", &Settings::value_bits}}) {
    settings_ = make_settings();
    settings_.*member = 0;
    try {
      start();
      ADD_FAILURE() << name;
    } catch (const CoordinatorError& error) {
      EXPECT_EQ(error.status(), Status::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(federation_.open().last_round_id(), 0U);
}

TEST(Coordinator, NeedsAReleasedModel) {
  const Federation federation(1);
  EXPECT_EQ(error_of([&] {
              const Coordinator coordinator(federation.database(), make_settings(),
                                            {.signing = federation.signing_key(),
                                             .aggregation = federation.aggregation_key()},
                                            kStart);
            }),
            Status::kNotFound);
}

}  // namespace
}  // namespace skep::coordinator
