// Tokens, their uses, and certificates that are renewed.
#include <gtest/gtest.h>

#include "skep/pki_testing/temporary_directory.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

using Der = std::vector<std::uint8_t>;

constexpr const char* kId = "0123456789abcdef";

template <typename Call>
Status error_of(Call call) {
  try {
    call();
  } catch (const StoreError& error) {
    EXPECT_STRNE(error.what(), "");
    return error.status();
  }
  return Status::kOk;
}

class EnrolmentStore : public testing::Test {
 protected:
  static EnrolmentToken token() {
    return {.id = kId,
            .secret_sha256 = {7},
            .device = "bee",
            .made_unix_s = 100,
            .made_by = "uid 7",
            .expires_unix_s = 200};
  }
  static Device device(const std::string& name, char key) {
    return {.name = name,
            .certificate_der = {static_cast<std::uint8_t>(key)},
            .public_key = {static_cast<std::uint8_t>(key)},
            .added_unix_s = 100,
            .added_by = "uid 7"};
  }
  static Enrolment use(const std::string& name, char key) {
    return {.token = kId,
            .public_key = {static_cast<std::uint8_t>(key)},
            .device = name,
            .certificate_der = {1, 2}};
  }

  const pki_testing::TemporaryDirectory folder_;
  Store store_ = Store::create(folder_ / "skep.db", FederationId{1}, "digits");
};

TEST_F(EnrolmentStore, ATokenIsUsedAsOftenAsItSays) {
  EnrolmentToken batch = token();
  batch.device = "";
  batch.allowed_uses = 2;
  store_.add_token(batch);
  for (const char key : {'a', 'b', 'c'}) store_.add_device(device(std::string(1, key), key));
  store_.use_token(use("a", 'a'), 150);
  store_.use_token(use("b", 'b'), 199);
  EXPECT_EQ(error_of([&] { store_.use_token(use("c", 'c'), 150); }), Status::kRevoked);
  EXPECT_EQ(store_.token(kId)->uses, 2U);
  EXPECT_EQ(store_.enrolment(kId, {'b'})->device, "b");
  EXPECT_EQ(store_.enrolment(kId, {'b'})->certificate_der, (Der{1, 2}));
  EXPECT_FALSE(store_.enrolment(kId, {'c'}));
}

TEST_F(EnrolmentStore, AnExpiredOrRevokedTokenIsVoid) {
  store_.add_token(token());
  store_.add_device(device("bee", 'a'));
  EXPECT_EQ(error_of([&] { store_.use_token(use("bee", 'a'), 200); }), Status::kRevoked);
  store_.revoke_token(kId, "uid 8", 150);
  EXPECT_EQ(error_of([&] { store_.use_token(use("bee", 'a'), 160); }), Status::kRevoked);
  EXPECT_EQ(error_of([&] { store_.revoke_token(kId, "uid 8", 150); }), Status::kInvalidArgument);
  EXPECT_EQ(error_of([&] { store_.revoke_token("00", "uid 8", 150); }), Status::kNotFound);
  EXPECT_EQ(store_.tokens().at(0).revoked_by, "uid 8");
  EXPECT_EQ(store_.tokens().at(0).uses, 0U);
}

TEST_F(EnrolmentStore, RefusesTokensThatAreNone) {
  const auto status_of = [&](auto change) {
    EnrolmentToken bad = token();
    change(bad);
    return error_of([&] { store_.add_token(bad); });
  };
  EXPECT_EQ(status_of([](auto& t) { t.id = "0123456789ABCDEF"; }), Status::kInvalidArgument);
  EXPECT_EQ(status_of([](auto& t) { t.id = "'; --"; }), Status::kInvalidArgument);
  EXPECT_EQ(status_of([](auto& t) { t.device = "Bee"; }), Status::kInvalidArgument);
  EXPECT_EQ(status_of([](auto& t) { t.allowed_uses = 0; }), Status::kInvalidArgument);
  EXPECT_EQ(status_of([](auto& t) { t.allowed_uses = 2; }), Status::kInvalidArgument);
  EXPECT_EQ(status_of([](auto& t) { t.expires_unix_s = 100; }), Status::kInvalidArgument);
  EXPECT_EQ(status_of([](auto& t) { t.made_by = ""; }), Status::kInvalidArgument);
  EXPECT_TRUE(store_.tokens().empty());
  store_.add_token(token());
  EXPECT_EQ(status_of([](auto&) {}), Status::kInvalidArgument);
}

TEST_F(EnrolmentStore, ARenewedKeyTakesOverWhenItIsUsed) {
  store_.add_device(device("bee", 'a'));
  store_.renew_certificate("bee", Der{9}, {'b'}, 150);
  EXPECT_EQ(store_.device("bee")->certificate_der, Der{'a'});
  EXPECT_EQ(store_.holder_of({'b'}), "bee");
  store_.renew_certificate("bee", Der{10}, {'c'}, 151);
  EXPECT_FALSE(store_.holder_of({'b'}));

  store_.use_next_certificate("bee", "device bee", 160);
  EXPECT_EQ(store_.device("bee")->certificate_der, Der{10});
  EXPECT_FALSE(store_.device("bee")->revoked);
  EXPECT_TRUE(store_.is_revoked({'a'}));
  EXPECT_EQ(store_.revocations("bee").at(0).reason, RevocationReason::kSuperseded);
  EXPECT_EQ(error_of([&] { store_.use_next_certificate("bee", "x", 161); }), Status::kNotFound);
  EXPECT_EQ(error_of([&] { store_.renew_certificate("bee", Der{1}, {'a'}, 162); }),
            Status::kRevoked);
}

TEST_F(EnrolmentStore, ARenewalOfTheSameKeyKeepsTheEarlierCertificateForTheRevocationList) {
  store_.add_device(device("bee", 'a'));
  store_.add_device(device("wasp", 'w'));
  store_.renew_certificate("bee", Der{9}, {'a'}, 150);
  EXPECT_EQ(store_.device("bee")->certificate_der, Der{9});
  EXPECT_EQ(error_of([&] { store_.renew_certificate("bee", Der{1}, {'w'}, 150); }),
            Status::kInvalidArgument);
  EXPECT_TRUE(store_.revoked_certificates().empty());
  store_.revoke_device({.device = "bee", .revoked_by = "uid 7", .revoked_unix_s = 160});
  ASSERT_EQ(store_.revoked_certificates().size(), 2U);
  EXPECT_EQ(store_.revoked_certificates().at(0).certificate_der, Der{9});
  EXPECT_EQ(store_.revoked_certificates().at(1).certificate_der, Der{'a'});
}

TEST_F(EnrolmentStore, ARevocationTakesTheWaitingKeyAndTheTokensOfTheName) {
  store_.add_device(device("bee", 'a'));
  store_.renew_certificate("bee", Der{9}, {'b'}, 150);
  store_.add_token(token());
  EXPECT_EQ(store_.open_tokens("bee").size(), 1U);
  store_.revoke_device({.device = "bee", .revoked_by = "uid 7", .revoked_unix_s = 160});
  EXPECT_TRUE(store_.is_revoked({'a'}));
  EXPECT_TRUE(store_.is_revoked({'b'}));
  EXPECT_TRUE(store_.device("bee")->revoked);
  EXPECT_FALSE(store_.token(kId)->is_valid(161));
  EXPECT_TRUE(store_.open_tokens("bee").empty());
  EXPECT_EQ(error_of([&] { store_.renew_certificate("bee", Der{1}, {'c'}, 170); }),
            Status::kRevoked);
}

}  // namespace
}  // namespace skep::store
