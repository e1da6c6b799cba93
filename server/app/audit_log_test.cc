// How much refused devices can make skepd write, and when the log's head is signed.
#include "audit_log.h"

#include <gtest/gtest.h>

#include <optional>

#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"

namespace skep::app {
namespace {

class AuditLogTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { start_logging("error", {}); }

  AuditLogTest() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    store::Store::create(database(), {1}, "digits");
    key_.emplace(*seal::SigningKey::generate());
    log_.emplace(database(), *key_, "text", [this] { return now_; });
  }

  [[nodiscard]] std::filesystem::path database() const { return folder_.path() / "skep.db"; }
  void refuse(const std::string& device, Status status, std::uint32_t round = 1) {
    log_->refused({"update", device, "127.0.0.1:1", status, "why"}, round);
  }
  /// Without those of start and stop.
  [[nodiscard]] std::int64_t refusals() const {
    return store::Store::open(database()).last_audit_number() - 1;
  }

  pki_testing::TemporaryDirectory folder_;
  std::optional<seal::SigningKey> key_;
  std::int64_t now_ = 1'000;
  std::optional<AuditLog> log_;
};

TEST_F(AuditLogTest, ARefusalIsRecordedOnceForDeviceReasonAndRound) {
  for (int i = 0; i < 100; ++i) refuse("bee", Status::kWrongRound);
  log_->tick();
  EXPECT_EQ(refusals(), 1);
  refuse("bee", Status::kWrongRound);
  refuse("bee", Status::kWrongNonce);
  refuse("wasp", Status::kWrongRound);
  log_->tick();
  EXPECT_EQ(refusals(), 3);
  refuse("bee", Status::kWrongRound, 2);
  log_->tick();
  EXPECT_EQ(refusals(), 4);
}

TEST_F(AuditLogTest, EachKindOfRefusalIsAnEventOfItsOwn) {
  for (const char* what : {"update", "session", "handshake"}) {
    for (int i = 0; i < 3; ++i) {
      log_->refused({what, "bee", "127.0.0.1:1", Status::kRevoked, "why"}, 7);
    }
  }
  log_->tick();
  const auto records = store::Store::open(database()).audit_records(0, 100);
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[1].entry.event, audit::Event::kUpdateRefused);
  EXPECT_EQ(records[2].entry.event, audit::Event::kSessionRefused);
  EXPECT_EQ(records[3].entry.event, audit::Event::kHandshakeRefused);
  EXPECT_EQ(records[3].entry.actor.name, "bee");
  EXPECT_EQ(records[3].entry.subject, "round 7");
  EXPECT_EQ(records[3].entry.after, "kRevoked: why");
}

TEST_F(AuditLogTest, TheGatewaysOwnTroublesAreNotTheDevices) {
  for (const Status status : {Status::kBusy, Status::kStorageFailed, Status::kInternal}) {
    refuse("bee", status);
  }
  log_->tick();
  EXPECT_EQ(refusals(), 0);
}

TEST_F(AuditLogTest, ARoundHasABoundedNumberOfRefusals) {
  for (std::size_t i = 0; i < AuditLog::kMaxRefusalsPerRound + 100; ++i) {
    refuse("bee-" + std::to_string(i), Status::kWrongRound);
  }
  log_->tick();
  EXPECT_EQ(refusals(), std::int64_t{AuditLog::kMaxRefusalsPerRound});
}

TEST_F(AuditLogTest, HeadIsSignedByNumberByTimeAndAtTheEnd) {
  const auto head = [this] {
    const auto newest = store::Store::open(database()).audit_head();
    return newest ? newest->head.number : 0;
  };
  log_->tick();
  EXPECT_EQ(head(), 0);
  now_ += AuditLog::kHeadWithinS;
  log_->tick();
  EXPECT_EQ(head(), 1);  // the start
  for (std::int64_t i = 0; i < AuditLog::kRecordsPerHead; ++i) {
    refuse("bee-" + std::to_string(i), Status::kWrongRound);
  }
  log_->tick();
  EXPECT_EQ(head(), 1 + AuditLog::kRecordsPerHead);
  log_.reset();
  EXPECT_EQ(head(), 2 + AuditLog::kRecordsPerHead);
}

}  // namespace
}  // namespace skep::app
