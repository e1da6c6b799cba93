// A device is shut out of the running skepd: its session, its update, its next handshake.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "skep/seal/crypto.h"
#include "skep/wire/resources.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"

namespace skep::e2e {
namespace {

using nlohmann::json;

std::unique_ptr<TestClient> connect(const wire::DeviceCredentials& credentials) {
  auto client = std::make_unique<TestClient>(credentials);
  EXPECT_TRUE(client->connect()) << credentials.device << " has no session";
  return client;
}

void expect_handshake_refused(const wire::DeviceCredentials& credentials) {
  TestClient client(credentials);
  EXPECT_FALSE(client.connect());
  EXPECT_TRUE(client.was_closed_by_gateway());
}

void expect_accepted(TestClient& client, const wire::DeviceCredentials& credentials,
                     std::uint32_t seed) {
  const Answer answer = client.upload(make_update(fetch_task(client), credentials, seed));
  EXPECT_EQ(code_text(answer.code), "2.04") << to_string(answer.problem());
}

/// A device that says nothing learns it from its session's end.
void wait_until_closed(TestClient& client) {
  for (int i = 0; i < 1200 && !client.is_lost(); ++i) client.poll(50);
  EXPECT_TRUE(client.was_closed_by_gateway());
}

bool has_line(const std::string& log, const std::vector<std::string>& parts) {
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (std::ranges::all_of(
            parts, [&](const std::string& part) { return line.find(part) != std::string::npos; })) {
      return true;
    }
  }
  return false;
}

json status_of(const Gateway& gateway, const std::string& device) {
  return gateway.operate({"device", "status", device});
}

class Revocation : public testing::Test {
 protected:
  Revocation() { EXPECT_EQ(seal::initialize_crypto(), Status::kOk); }

  /// What a round of bee, wasp and ant makes without those in `absent`, who send nothing, and
  /// without those in `revoked`, who send first.
  static json model_of_round(const std::vector<std::string>& absent,
                             const std::vector<std::string>& revoked) {
    Gateway gateway;
    gateway.start();
    std::uint32_t seed = 0;
    for (const char* device : {"bee", "wasp", "ant"}) {
      ++seed;
      if (std::ranges::find(absent, device) != absent.end()) continue;
      const auto credentials = gateway.enrol(device);
      expect_accepted(*connect(credentials), credentials, seed);
    }
    for (const std::string& device : revoked) gateway.revoke(device);
    EXPECT_EQ(gateway.operate({"round", "status"}).at("received"),
              3 - absent.size() - revoked.size());
    gateway.finish_round();
    return gateway.operate({"model", "show"});
  }
};

TEST_F(Revocation, ClosesTheLiveSessionAndRefusesTheNextHandshake) {
  Gateway gateway;
  const auto bee = gateway.enrol("bee");
  const auto wasp = gateway.enrol("wasp");
  gateway.start();
  const auto first = connect(bee);
  const auto second = connect(bee);
  const auto other = connect(wasp);
  (void)fetch_task(*first);

  gateway.revoke("bee");
  wait_until_closed(*first);
  wait_until_closed(*second);
  EXPECT_TRUE(has_line(gateway.log(), {"session refused", "\"bee\"", "kRevoked", "closed"}))
      << gateway.log();

  expect_handshake_refused(bee);
  EXPECT_TRUE(has_line(gateway.log(), {"handshake refused", "\"bee\"", "kRevoked"}))
      << gateway.log();
  EXPECT_EQ(code_text(other->get(wire::kRoundPath).code), "2.05");

  gateway.kill();
  gateway.start();
  expect_handshake_refused(bee);
  const auto again = connect(wasp);
  EXPECT_EQ(code_text(again->get(wire::kRoundPath).code), "2.05");
}

TEST_F(Revocation, LeavesTheExactAggregateOfTheOthers) {
  const json revoked = model_of_round({}, {"wasp"});
  const json absent = model_of_round({"wasp"}, {});
  const json all = model_of_round({}, {});
  EXPECT_EQ(revoked.at("contributor_count"), 2);
  EXPECT_EQ(revoked.at("weights_sha256"), absent.at("weights_sha256"));
  EXPECT_NE(revoked.at("weights_sha256"), all.at("weights_sha256"));
}

TEST_F(Revocation, HoldsWhenSkepdIsKilledInTheOpenRound) {
  Gateway gateway;
  const auto bee = gateway.enrol("bee");
  const auto wasp = gateway.enrol("wasp");
  gateway.start();
  expect_accepted(*connect(bee), bee, 1);
  expect_accepted(*connect(wasp), wasp, 2);
  gateway.kill();
  gateway.revoke("bee");  // while nobody serves
  gateway.start();
  EXPECT_EQ(gateway.operate({"round", "status"}).at("received"), 1);
  gateway.finish_round();
  EXPECT_EQ(gateway.operate({"model", "show"}).at("contributor_count"), 1);
}

TEST_F(Revocation, ANameComesBackWithANewCertificateOnly) {
  Gateway gateway;
  const auto stolen = gateway.enrol("bee");
  gateway.start();
  expect_accepted(*connect(stolen), stolen, 1);
  gateway.revoke("bee");
  std::filesystem::remove(gateway.directory() / "devices/bee.cred");
  const auto anew = gateway.enrol("bee");

  expect_handshake_refused(stolen);
  const auto client = connect(anew);
  EXPECT_EQ(code_text(client->get(wire::kRoundPath).code), "2.05");
  // What the stolen key sent stays out, and the round has been answered.
  const Answer late = client->upload(make_update(fetch_task(*client), anew, 2));
  EXPECT_EQ(code_text(late.code), "4.09");
  EXPECT_EQ(late.problem(), Status::kAlreadyAnswered);
  EXPECT_EQ(gateway.operate({"round", "status"}).at("received"), 0);

  const json status = status_of(gateway, "bee");
  EXPECT_EQ(status.at("revoked"), false);
  ASSERT_EQ(status.at("revocations").size(), 1U);
  EXPECT_EQ(status.at("revocations")[0].at("reason"), "keyCompromise");
  EXPECT_NE(status.at("revocations")[0].at("serial"), status.at("certificate").at("serial"));
}

TEST_F(Revocation, CountsOfADeviceSurviveSigkill) {
  Gateway gateway;
  const auto bee = gateway.enrol("bee");
  gateway.start();
  {
    const auto client = connect(bee);
    const Task task = fetch_task(*client);
    expect_accepted(*client, bee, 1);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(client->upload(make_update(task, bee, 2)).problem(), Status::kAlreadyAnswered);
    }
    EXPECT_EQ(client->upload(Buffer{0xFF}).problem(), Status::kMalformed);
  }
  gateway.kill();
  for (int restarted = 0; restarted < 2; ++restarted) {
    const json status = status_of(gateway, "bee");
    EXPECT_EQ(status.at("accepted"), 1);
    EXPECT_EQ(status.at("last_round"), 1);
    EXPECT_EQ(status.at("refused").size(), 2U);
    EXPECT_EQ(status.at("refused").at("kAlreadyAnswered").at("count"), 2);
    EXPECT_EQ(status.at("refused").at("kMalformed").at("count"), 1);
    EXPECT_GT(status.at("last_seen_unix_s"), 0);
    if (restarted == 0) gateway.start();
  }
}

}  // namespace
}  // namespace skep::e2e
