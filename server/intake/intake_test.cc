// The pipeline with its threads and a real database.
#include "skep/intake/intake.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <map>
#include <thread>

#include "committer.h"
#include "skep/intake/validate.h"
#include "skep/intake_testing/federation.h"
#include "skep/seal/sha256.h"

namespace skep::intake {
namespace {

using intake_testing::Departures;
using intake_testing::dump;
using intake_testing::Federation;
using intake_testing::FixedGate;

constexpr auto kAccepted = skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED;
constexpr auto kDuplicate = skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE;

/// Waits on the descriptor, as the CoAP loop does, until `count` answers are there.
std::map<std::uint64_t, Answer> wait_for(Intake& intake, std::size_t count) {
  std::map<std::uint64_t, Answer> answers;
  while (answers.size() < count) {
    pollfd descriptor{.fd = intake.answers_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&descriptor, 1, 60'000) != 1) throw std::runtime_error("no answer within a minute");
    for (Answer& answer : intake.take_answers()) {
      const std::uint64_t token = answer.token;
      if (!answers.emplace(token, std::move(answer)).second) {
        throw std::runtime_error("two answers to one update");
      }
    }
  }
  return answers;
}

class IntakeTest : public ::testing::Test {
 protected:
  IntakeTest() { federation_.open_round(plan_); }

  Answer send(Intake& intake, unsigned device, std::vector<std::uint8_t> bytes) {
    EXPECT_EQ(intake.submit(federation_.receive(device, std::move(bytes)), 1), Status::kOk);
    return wait_for(intake, 1).at(1);
  }

  static constexpr unsigned kDevices = 12;
  Federation federation_{kDevices};
  wire::RoundPlan plan_ = federation_.make_plan(3);
  FixedGate gate_{federation_.rules(plan_)};
  Settings settings_{.workers = 3, .now_unix_s = [] { return 1234; }};
};

TEST_F(IntakeTest, AcceptedUpdatesAreStoredBeforeTheyAreAnswered) {
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  const auto bytes = federation_.seal(4, plan_, {.sample_count = 9});
  const Answer answer = send(intake, 4, bytes);
  ASSERT_EQ(answer.status, Status::kOk) << answer.detail;
  EXPECT_EQ(answer.receipt.status, kAccepted);
  EXPECT_EQ(answer.receipt.round, 3U);
  const auto digest = *seal::sha256(bytes);
  EXPECT_TRUE(std::equal(digest.begin(), digest.end(), answer.receipt.update_digest));

  store::Store store = federation_.open();
  const auto stored = store.update("device-4", 3);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->sealed, bytes);
  EXPECT_EQ(stored->digest, digest);
  EXPECT_EQ(stored->sample_count, 9U);
  EXPECT_EQ(stored->loss_q16, 70000U);
  EXPECT_EQ(store.device("device-4")->last_seen_unix_s, 1234);
  EXPECT_EQ(store.device("device-4")->last_round, 3U);
  EXPECT_EQ(gate_.stored, 1U);

  EXPECT_EQ(send(intake, 4, bytes).receipt.status, kDuplicate);
  EXPECT_EQ(send(intake, 4, federation_.seal(4, plan_)).status, Status::kAlreadyAnswered);
  EXPECT_EQ(gate_.refused, 1U);
  const Statistics statistics = intake.statistics();
  EXPECT_EQ(statistics.accepted, 1U);
  EXPECT_EQ(statistics.duplicates, 1U);
  EXPECT_EQ(statistics.refused.at(Status::kAlreadyAnswered), 1U);
  EXPECT_GT(statistics.bytes_up, 2 * bytes.size());
}

TEST_F(IntakeTest, RefusalsDoNotChangeTheDatabase) {
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  const auto genuine = federation_.seal(0, plan_);
  ASSERT_EQ(send(intake, 0, genuine).status, Status::kOk);
  federation_.open().revoke_device({.device = "device-11", .revoked_by = "operator"});
  const std::string before = dump(federation_.database());

  auto other_federation = plan_;
  other_federation.federation[0] ^= 1;
  auto other_nonce = plan_;
  other_nonce.nonce[0] ^= 1;
  auto other_base = plan_;
  other_base.base_version = 2;
  auto other_key = plan_;
  other_key.key_id ^= 1;
  const std::vector<std::uint8_t> no_update{0xFF, 0xFF};
  const std::vector<std::pair<Status, std::vector<std::uint8_t>>> cases{
      {Status::kMalformed, {1, 2, 3}},
      {Status::kTooLarge, std::vector<std::uint8_t>(kMaxUpdateBytes + 1, 0x0A)},
      {Status::kWrongFederation, federation_.seal(1, other_federation)},
      {Status::kWrongDevice, federation_.seal(2, plan_)},
      {Status::kBadSignature,
       federation_.seal(1, plan_, {.signing_key = &federation_.device_key(2)})},
      {Status::kWrongRound, federation_.seal(1, federation_.make_plan(2))},
      {Status::kWrongRound, federation_.seal(1, federation_.make_plan(4))},
      {Status::kWrongNonce, federation_.seal(1, other_nonce)},
      {Status::kWrongBase, federation_.seal(1, other_base)},
      {Status::kUndecryptable, federation_.seal(1, other_key)},
      {Status::kMalformed, federation_.seal_raw(federation_.make_header(1, plan_), no_update,
                                                federation_.device_key(1))},
      {Status::kWrongBase, federation_.seal(1, plan_, {.base_digest = store::Digest{}})},
      {Status::kMalformed,
       federation_.seal(1, plan_, {.compression = Compression{CompressionMode::kTopK, 1000, 12}})},
      {Status::kMalformed,
       federation_.seal(1, plan_, {.compression = Compression{CompressionMode::kTopK, 300, 16}})},
  };
  for (const auto& [expected, bytes] : cases) {
    const Answer answer = send(intake, 1, bytes);
    EXPECT_EQ(answer.status, expected) << to_string(answer.status) << ": " << answer.detail;
  }
  EXPECT_EQ(send(intake, 0, federation_.seal(0, plan_)).status, Status::kAlreadyAnswered);
  EXPECT_EQ(send(intake, 11, federation_.seal(11, plan_)).status, Status::kRevoked);
  EXPECT_EQ(dump(federation_.database()), before);
  EXPECT_EQ(gate_.refused, cases.size() + 2);

  // Each is counted by device and reason, in one of a bounded number of rows.
  std::map<Status, std::uint64_t> expected;
  for (const auto& [status, bytes] : cases) ++expected[status];
  std::map<Status, std::uint64_t> counted;
  for (const store::Refusals& each : federation_.open().refusals("device-1")) {
    counted[each.status] = each.count;
  }
  EXPECT_EQ(counted, expected);
  EXPECT_EQ(federation_.open().refusals("device-0").at(0).status, Status::kAlreadyAnswered);
  EXPECT_EQ(federation_.open().refusals("device-11").at(0).status, Status::kRevoked);
  EXPECT_TRUE(federation_.open().refusals("device-2").empty());
  EXPECT_EQ(federation_.open().device("device-0")->accepted, 1U);
}

TEST_F(IntakeTest, TooLargeNormDoesNotChangeTheDatabase) {
  auto strict = plan_;
  strict.clip_norm_q16 = 64;
  FixedGate gate(federation_.rules(strict));
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate);
  const std::string before = dump(federation_.database());
  EXPECT_EQ(send(intake, 1, federation_.seal(1, plan_)).status, Status::kNormExceeded);
  EXPECT_EQ(dump(federation_.database()), before);
  EXPECT_EQ(send(intake, 1, federation_.seal(1, strict)).status, Status::kOk);
}

TEST_F(IntakeTest, CopiesInFlightAreAcceptedOnce) {
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  constexpr std::uint64_t kCopies = 16;
  const auto bytes = federation_.seal(0, plan_);
  for (std::uint64_t token = 0; token < kCopies; ++token) {
    ASSERT_EQ(intake.submit(federation_.receive(0, bytes), token), Status::kOk);
  }
  std::size_t accepted = 0;
  for (const auto& [token, answer] : wait_for(intake, kCopies)) {
    ASSERT_EQ(answer.status, Status::kOk) << answer.detail;
    if (answer.receipt.status == kAccepted) ++accepted;
  }
  EXPECT_EQ(accepted, 1U);
  EXPECT_EQ(federation_.open().update_count(3), 1U);
}

TEST_F(IntakeTest, OfDifferentUpdatesInFlightOneIsAccepted) {
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  constexpr std::uint64_t kVariants = 8;
  std::vector<std::vector<std::uint8_t>> variants;
  for (std::uint64_t i = 0; i < kVariants; ++i) variants.push_back(federation_.seal(0, plan_));
  for (std::uint64_t token = 0; token < kVariants; ++token) {
    ASSERT_EQ(intake.submit(federation_.receive(0, variants[token]), token), Status::kOk);
  }
  std::size_t accepted = 0;
  for (const auto& [token, answer] : wait_for(intake, kVariants)) {
    if (answer.status == Status::kOk) {
      EXPECT_EQ(answer.receipt.status, kAccepted);
      EXPECT_EQ(federation_.open().update("device-0", 3)->sealed, variants[token]);
      ++accepted;
    } else {
      EXPECT_EQ(answer.status, Status::kAlreadyAnswered) << answer.detail;
    }
  }
  EXPECT_EQ(accepted, 1U);
}

TEST_F(IntakeTest, RoundClosedAfterValidationIsRefused) {
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  federation_.open().begin_aggregation(3);  // The gate does not know yet.
  const std::string before = dump(federation_.database());
  EXPECT_EQ(send(intake, 0, federation_.seal(0, plan_)).status, Status::kWrongRound);
  EXPECT_EQ(dump(federation_.database()), before);
}

/// What the gateway remembers of one device.
class OneDevice final : public Records {
 public:
  explicit OneDevice(const server::PublicKey& key) : key_(key) {}
  std::optional<Sender> sender(std::string_view /*device*/) override {
    return Sender{.public_key = key_, .revoked = false};
  }
  std::optional<server::Digest> stored_digest(std::string_view /*device*/,
                                              std::uint32_t /*round*/) override {
    return std::nullopt;
  }

 private:
  server::PublicKey key_;
};

// Validated, then the device is revoked and its name enrolled with another key, then committed.
TEST_F(IntakeTest, AnUpdateOfAKeyRevokedAfterValidationIsRefused) {
  server::Received received = federation_.receive(0, federation_.seal(0, plan_));
  const server::PublicKey key = received.session_key;
  const std::size_t size = received.bytes.size();
  OneDevice records(key);
  const auto rules = federation_.rules(plan_);
  auto outcome = validate(std::move(received),
                          {.federation = federation_.id(), .key = federation_.aggregation_key()},
                          rules.get(), records);
  ASSERT_TRUE(std::holds_alternative<server::Valid>(outcome));

  store::Store store = federation_.open();
  store.revoke_device({.device = "device-0", .revoked_by = "operator"});
  auto anew = *store.device("device-0");
  anew.public_key[64] ^= 1;
  store.add_device(anew);
  std::vector<Pending> batch;
  batch.push_back({std::get<server::Valid>(std::move(outcome)), "device-0", key, size, 7});
  const CommitReport report = commit(store, batch, 1);
  ASSERT_EQ(report.answers.size(), 1U);
  EXPECT_EQ(report.answers[0].status, Status::kRevoked);
  EXPECT_TRUE(report.accepted.empty());
  EXPECT_EQ(store.update_count(plan_.round), 0U);
  EXPECT_EQ(store.refusals("device-0").at(0).status, Status::kRevoked);
}

TEST_F(IntakeTest, FullQueueIsBusyUntilAnswersAreTaken) {
  settings_.max_queued_updates = 2;
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  EXPECT_EQ(intake.submit(federation_.receive(0, {1}), 1), Status::kOk);
  EXPECT_EQ(intake.submit(federation_.receive(0, {2}), 2), Status::kOk);
  EXPECT_EQ(intake.submit(federation_.receive(0, {3}), 3), Status::kBusy);
  wait_for(intake, 2);
  EXPECT_EQ(intake.submit(federation_.receive(0, {3}), 3), Status::kOk);
  EXPECT_EQ(wait_for(intake, 1).at(3).status, Status::kMalformed);
  EXPECT_EQ(intake.statistics().refused.at(Status::kBusy), 1U);
}

TEST_F(IntakeTest, QueuedBytesAreBounded) {
  settings_.max_queued_bytes = 100;
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  EXPECT_EQ(intake.submit(federation_.receive(0, std::vector<std::uint8_t>(101)), 1),
            Status::kBusy);
  for (std::uint64_t token = 0; token < 50; ++token) {
    ASSERT_EQ(intake.submit(federation_.receive(0, std::vector<std::uint8_t>(100)), token),
              Status::kOk);
    wait_for(intake, 1);
  }
}

TEST_F(IntakeTest, ManySendersAtOnce) {
  std::vector<std::vector<std::uint8_t>> updates;
  for (unsigned i = 0; i < kDevices; ++i) updates.push_back(federation_.seal(i, plan_));
  Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
  std::vector<std::thread> senders;
  for (unsigned i = 0; i < kDevices; ++i) {
    senders.emplace_back(
        [&, i] { EXPECT_EQ(intake.submit(federation_.receive(i, updates[i]), i), Status::kOk); });
  }
  for (std::thread& sender : senders) sender.join();
  for (const auto& [token, answer] : wait_for(intake, kDevices)) {
    EXPECT_EQ(answer.status, Status::kOk) << answer.detail;
  }
  EXPECT_EQ(gate_.stored, kDevices);
  EXPECT_EQ(federation_.open().update_count(3), kDevices);
}

TEST_F(IntakeTest, DestructionWithWorkInTheQueueIsClean) {
  const auto bytes = federation_.seal(0, plan_);
  for (int repeat = 0; repeat < 5; ++repeat) {
    Intake intake(federation_.database(), settings_, federation_.aggregation_key(), gate_);
    for (std::uint64_t token = 0; token < 20; ++token) {
      ASSERT_EQ(intake.submit(federation_.receive(0, bytes), token), Status::kOk);
    }
  }
}

}  // namespace
}  // namespace skep::intake
