#include "skep/enrolment/tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"
#include "skep/seal/sha256.h"

namespace skep::enrolment {
namespace {

class Tokens : public testing::Test {
 protected:
  Tokens() { EXPECT_EQ(seal::initialize_crypto(), Status::kOk); }

  MadeToken make(const TokenRequest& request) {
    return make_token(store_, key_, request, who_, 1'000);
  }
  Status refusal_of(const TokenRequest& request) {
    try {
      (void)make(request);
    } catch (const EnrolmentError& error) {
      return error.status();
    } catch (const store::StoreError& error) {
      return error.status();
    }
    return Status::kOk;
  }

  const audit::Actor who_{
      .kind = audit::ActorKind::kOperator, .name = "uid 7", .origin = "skepctl"};
  const pki_testing::TemporaryDirectory folder_;
  store::Store store_ = store::Store::create(folder_ / "skep.db", store::FederationId{1}, "digits");
  const pki::EnrolmentKey key_ = pki::EnrolmentKey::load_or_create(folder_ / "enrolment.key");
};

TEST_F(Tokens, AreStoredWithoutTheirSecret) {
  const MadeToken made = make({.device = "bee", .valid_s = 60});
  EXPECT_EQ(made.secret.size(), pki::kTokenSecretChars);
  const auto stored = store_.token(made.token.id);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->secret_sha256, *seal::sha256(made.secret.bytes()));
  EXPECT_EQ(stored->expires_unix_s, 1'060);
  EXPECT_EQ(stored->made_by, "uid 7");
  const auto records = store_.audit_records(0, 10);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].entry.event, audit::Event::kTokenMade);
  EXPECT_EQ(records[0].entry.subject, "token " + made.token.id);
}

TEST_F(Tokens, AreRevokedOnceWithARecord) {
  const std::string id = make({.devices = 5, .valid_s = 60}).token.id;
  revoke_token(store_, id, who_, 1'010);
  EXPECT_FALSE(store_.token(id)->is_valid(1'010));
  EXPECT_THROW(revoke_token(store_, id, who_, 1'011), store::StoreError);
  EXPECT_THROW(revoke_token(store_, "0000000000000000", who_, 1'011), store::StoreError);
  const auto records = store_.audit_records(0, 10);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].entry.event, audit::Event::kTokenRevoked);
}

TEST_F(Tokens, ThatCannotBeAreRefusedAndLeaveNothing) {
  store_.add_device({.name = "taken", .certificate_der = {1}, .added_by = "uid 7"});
  EXPECT_EQ(refusal_of({.device = "taken", .valid_s = 60}), Status::kInvalidArgument);
  EXPECT_EQ(refusal_of({.device = "No Name", .valid_s = 60}), Status::kInvalidArgument);
  EXPECT_EQ(refusal_of({.device = "bee", .valid_s = 0}), Status::kInvalidArgument);
  EXPECT_EQ(refusal_of({.device = "bee", .valid_s = kMaxTokenValidS + 1}),
            Status::kInvalidArgument);
  EXPECT_EQ(refusal_of({.devices = 0, .valid_s = 60}), Status::kInvalidArgument);
  EXPECT_EQ(refusal_of({.devices = store::kMaxTokenUses + 1, .valid_s = 60}),
            Status::kInvalidArgument);
  EXPECT_TRUE(store_.tokens().empty());
  EXPECT_EQ(store_.last_audit_number(), 0);
}

}  // namespace
}  // namespace skep::enrolment
