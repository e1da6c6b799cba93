// Every rule of who gets a certificate, without a network.
#include "skep/enrolment/registrar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "skep/enrolment/tokens.h"
#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"

namespace skep::enrolment {
namespace {

using Der = std::vector<std::uint8_t>;

constexpr const char* kOrigin = "192.0.2.1:1024";

class RegistrarTest : public testing::Test {
 protected:
  RegistrarTest() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    pki::create_keys(paths_, {1}, {.ip_addresses = {"127.0.0.1"}, .dns_names = {}});
    (void)store::Store::create(database_, store::FederationId{1}, "digits");
    registrar_.emplace(paths_, database_, 30);
    store_.emplace(store::Store::open(database_));
  }

  std::string token(const TokenRequest& request) {
    return make_token(*store_, pki::EnrolmentKey::load_or_create(paths_.enrolment_key()), request,
                      who_, kNow)
        .token.id;
  }
  std::string token_for(const std::string& device) {
    return token({.device = device, .valid_s = 100});
  }

  /// Of the key in the file `key`, which is made if it is not there.
  Der request(const std::string& name, const std::string& key) {
    const std::string key_path = (folder_ / key).string();
    if (!std::filesystem::exists(key_path)) pki::PrivateKey::generate().save(key_path);
    const std::string out = (folder_ / "request").string();
    const auto made = pki_testing::run({"openssl", "req", "-new", "-sha256", "-key", key_path,
                                        "-subj", "/CN=" + name, "-outform", "DER", "-out", out});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return pki::read_file(out, 4096);
  }

  Der enrol(const std::string& token, const Der& request, std::int64_t now = kNow) {
    return registrar_->enrol(token, request, kOrigin, now);
  }

  /// Status of a refusal, which must have changed nothing.
  template <typename Call>
  Status refusal_of(Call call) {
    const auto records = store_->last_audit_number();
    const auto devices = store_->devices().size();
    try {
      call();
    } catch (const EnrolmentError& error) {
      EXPECT_EQ(store_->last_audit_number(), records);
      EXPECT_EQ(store_->devices().size(), devices);
      return error.status();
    }
    return Status::kOk;
  }

  void revoke(const std::string& device) {
    store_->revoke_device({.device = device, .revoked_by = "uid 7", .revoked_unix_s = kNow});
  }

  static constexpr std::int64_t kNow = 1'000'000;
  const audit::Actor who_{
      .kind = audit::ActorKind::kOperator, .name = "uid 7", .origin = "skepctl"};
  const pki_testing::TemporaryDirectory folder_;
  const pki::FederationPaths paths_{folder_.path()};
  const std::filesystem::path database_ = folder_ / "skep.db";
  std::optional<Registrar> registrar_;
  std::optional<store::Store> store_;
};

TEST_F(RegistrarTest, GivesACertificateAndRemembersHow) {
  const std::string id = token_for("bee");
  const auto certificate = pki::parse_certificate(enrol(id, request("bee", "a")));
  EXPECT_EQ(certificate.common_name, "bee");
  EXPECT_EQ(certificate.public_key, pki::PrivateKey::load(folder_ / "a").public_key());
  const auto device = store_->device("bee");
  ASSERT_TRUE(device);
  EXPECT_EQ(device->certificate_der, certificate.der);
  EXPECT_EQ(device->added_by, "token " + id + " of uid 7");
  EXPECT_EQ(store_->token(id)->uses, 1U);
  const auto record = store_->audit_records(0, 1).at(0).entry;
  EXPECT_EQ(record.event, audit::Event::kDeviceEnrolled);
  EXPECT_EQ(record.actor.name, "bee");
  EXPECT_EQ(record.actor.origin, kOrigin);
  EXPECT_THAT(record.after, testing::HasSubstr("token " + id + ", use 1 of 1"));
}

TEST_F(RegistrarTest, ATokenServesOneKeyAndThatKeyAgain) {
  const std::string id = token_for("bee");
  const Der first = enrol(id, request("bee", "a"));
  // As after a crash between the commit and the answer; ECDSA makes another request each time.
  EXPECT_EQ(enrol(id, request("bee", "a")), first);
  EXPECT_EQ(store_->token(id)->uses, 1U);
  EXPECT_EQ(refusal_of([&] { enrol(id, request("bee", "b")); }), Status::kRevoked);
  EXPECT_EQ(refusal_of([&] { enrol(id, request("wasp", "a")); }), Status::kWrongDevice);
  EXPECT_EQ(refusal_of([&] { enrol(id, request("bee", "a"), kNow + 100); }), Status::kRevoked);
}

TEST_F(RegistrarTest, ATokenIsForItsNameUntilItEnds) {
  const std::string id = token_for("bee");
  EXPECT_EQ(refusal_of([&] { enrol(id, request("wasp", "a")); }), Status::kWrongDevice);
  EXPECT_EQ(refusal_of([&] { enrol(id, request("bee", "a"), kNow + 100); }), Status::kRevoked);
  EXPECT_EQ(refusal_of([&] { enrol(id, {1, 2, 3}); }), Status::kMalformed);
  EXPECT_EQ(refusal_of([&] { enrol("0000000000000000", request("bee", "a")); }),
            Status::kWrongDevice);
  revoke_token(*store_, id, who_, kNow);
  EXPECT_EQ(refusal_of([&] { enrol(id, request("bee", "a")); }), Status::kRevoked);
  EXPECT_EQ(store_->token(id)->uses, 0U);
}

TEST_F(RegistrarTest, ABatchIsForAsManyNewNamesAsItSays) {
  const std::string id = token({.devices = 2, .valid_s = 100});
  (void)enrol(id, request("bee", "a"));
  EXPECT_EQ(refusal_of([&] { enrol(id, request("bee", "b")); }), Status::kWrongDevice);
  (void)enrol(id, request("wasp", "b"));
  EXPECT_EQ(refusal_of([&] { enrol(id, request("ant", "c")); }), Status::kRevoked);
  EXPECT_EQ(store_->token(id)->uses, 2U);
}

TEST_F(RegistrarTest, AKeyBelongsToOneDevice) {
  (void)enrol(token_for("bee"), request("bee", "a"));
  const std::string id = token_for("wasp");
  EXPECT_EQ(refusal_of([&] { enrol(id, request("wasp", "a")); }), Status::kWrongDevice);
  (void)enrol(id, request("wasp", "b"));
  EXPECT_EQ(refusal_of([&] { registrar_->renew("wasp", request("wasp", "a"), kOrigin, kNow); }),
            Status::kWrongDevice);
}

TEST_F(RegistrarTest, ARevokedNameNeedsANewTokenForItAndANewKey) {
  const std::string old = token_for("bee");
  (void)enrol(old, request("bee", "a"));
  const std::string batch = token({.devices = 2, .valid_s = 100});
  revoke("bee");
  EXPECT_EQ(refusal_of([&] { enrol(old, request("bee", "a")); }), Status::kRevoked);
  EXPECT_EQ(refusal_of([&] { enrol(batch, request("bee", "b")); }), Status::kWrongDevice);
  const std::string anew = token_for("bee");
  EXPECT_EQ(refusal_of([&] { enrol(anew, request("bee", "a")); }), Status::kRevoked);
  (void)enrol(anew, request("bee", "b"));
  EXPECT_FALSE(store_->device("bee")->revoked);
  EXPECT_THAT(store_->audit_records(0, 1).at(0).entry.before, testing::HasSubstr("revoked; "));
}

TEST_F(RegistrarTest, RenewsWithTheSameKeyAtOnce) {
  (void)enrol(token_for("bee"), request("bee", "a"));
  const Der renewed = registrar_->renew("bee", request("bee", "a"), kOrigin, kNow);
  EXPECT_EQ(store_->device("bee")->certificate_der, renewed);
  EXPECT_EQ(registrar_->renew("bee", request("bee", "a"), kOrigin, kNow + 1), renewed);
  EXPECT_NE(registrar_->renew("bee", request("bee", "a"), kOrigin, kNow + kMinRenewalIntervalS),
            renewed);
  EXPECT_EQ(store_->audit_records(0, 1).at(0).entry.event, audit::Event::kCertificateRenewed);
}

TEST_F(RegistrarTest, ANewKeyWaitsUntilItIsUsed) {
  const Der first = enrol(token_for("bee"), request("bee", "a"));
  const Der renewed = registrar_->renew("bee", request("bee", "b"), kOrigin, kNow);
  EXPECT_EQ(store_->device("bee")->certificate_der, first);
  EXPECT_EQ(store_->device("bee")->next_certificate_der, renewed);
  EXPECT_EQ(registrar_->renew("bee", request("bee", "b"), kOrigin, kNow + 1), renewed);
  EXPECT_EQ(refusal_of([&] { registrar_->renew("bee", request("bee", "c"), kOrigin, kNow + 1); }),
            Status::kBusy);
  EXPECT_EQ(refusal_of([&] { registrar_->renew("bee", request("wasp", "b"), kOrigin, kNow); }),
            Status::kWrongDevice);
  revoke("bee");
  EXPECT_EQ(refusal_of([&] { registrar_->renew("bee", request("bee", "b"), kOrigin, kNow + 2); }),
            Status::kRevoked);
}

TEST_F(RegistrarTest, ASessionsKeyIsTheTokensSecretWhileItIsValid) {
  const auto made = make_token(*store_, pki::EnrolmentKey::load_or_create(paths_.enrolment_key()),
                               {.device = "bee", .valid_s = 100}, who_, kNow);
  const auto key = registrar_->session_key(made.token.id, kNow);
  EXPECT_TRUE(std::ranges::equal(key.bytes(), made.secret.bytes()));
  EXPECT_EQ(refusal_of([&] { (void)registrar_->session_key(made.token.id, kNow + 100); }),
            Status::kRevoked);
  EXPECT_EQ(refusal_of([&] { (void)registrar_->session_key("'; --", kNow); }),
            Status::kWrongDevice);
  // Without its key file the token is void: nothing in the database gives its secret.
  std::filesystem::remove(paths_.enrolment_key());
  Registrar other(paths_, database_, 30);
  EXPECT_EQ(refusal_of([&] { (void)other.session_key(made.token.id, kNow); }), Status::kRevoked);
}

}  // namespace
}  // namespace skep::enrolment
