// The audit log of the running skepd: what devices and the operator did is in it, and whatever is
// done to the file afterwards is found by `skepctl audit verify`.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "skep/seal/crypto.h"
#include "support/database.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class AuditTest : public testing::Test {
 protected:
  AuditTest() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    credentials_ = gateway_.enrol("bee");
    gateway_.start();
  }

  [[nodiscard]] std::vector<json> records(const std::string& event = "") const {
    std::vector<json> found;
    const json answer = gateway_.operate({"audit", "list", "--limit", "100000"});
    for (const json& record : answer.at("records")) {
      if (event.empty() || record.at("event") == event) found.push_back(record);
    }
    return found;
  }
  /// skepd writes refusals about once a second.
  std::vector<json> wait_for(const std::string& event, std::size_t count) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    auto found = records(event);
    while (found.size() < count && std::chrono::steady_clock::now() < limit) {
      gateway_.check_alive();
      std::this_thread::sleep_for(50ms);
      found = records(event);
    }
    return found;
  }
  /// What is wrong, or nothing.
  [[nodiscard]] std::string finding(const process::Command& options = {}) const {
    process::Command command{"audit", "verify"};
    command.insert(command.end(), options.begin(), options.end());
    const process::Output output = gateway_.try_operate(command);
    if (output.exit_code == 0) return "";
    EXPECT_EQ(output.exit_code, 1);
    return json::parse(output.out).at("error").at("detail");
  }
  void tamper(const std::string& sql) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(gateway_.database().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  std::filesystem::path keep_head() {
    const auto path = gateway_.directory() / "kept-head";
    std::ofstream(path) << gateway_.operate({"audit", "head"}).at("head").get<std::string>()
                        << '\n';
    return path;
  }

  Gateway gateway_;
  wire::DeviceCredentials credentials_{};
};

TEST_F(AuditTest, SaysWhoDidWhatFromWhere) {
  TestClient client(credentials_);
  ASSERT_TRUE(client.connect());
  const Task task = fetch_task(client);
  Buffer forged = make_update(task, credentials_, 1);
  forged.back() ^= 1U;
  // However often: one record for each device and reason in a round.
  for (int i = 0; i < 20; ++i) EXPECT_NE(code_text(client.upload(forged).code), "2.04");
  EXPECT_EQ(code_text(client.upload(make_update(task, credentials_, 1)).code), "2.04");
  ASSERT_EQ(wait_for("update_refused", 1).size(), 1U);

  gateway_.finish_round();
  gateway_.roll_back(1);
  (void)gateway_.operate(
      {"model", "export", "--version", "2", "--out", (gateway_.directory() / "out").string()});
  gateway_.revoke("bee");
  ASSERT_EQ(wait_for("session_refused", 1).size(), 1U);  // of the session that was open
  TestClient again(credentials_);
  EXPECT_FALSE(again.connect());
  ASSERT_EQ(wait_for("handshake_refused", 1).size(), 1U);
  gateway_.stop();

  const std::string me = "uid " + std::to_string(::getuid());
  const auto expect_operator = [&](const json& record, const std::string& origin) {
    EXPECT_EQ(record.at("actor").at("kind"), "operator");
    const auto name = record.at("actor").at("name").get<std::string>();
    EXPECT_TRUE(name == me || name.starts_with(me + " (")) << name;
    EXPECT_EQ(record.at("actor").at("origin"), origin);
  };
  const auto added = records("device_added");
  ASSERT_EQ(added.size(), 1U);
  expect_operator(added[0], "skepctl");
  EXPECT_EQ(added[0].at("subject"), "device bee");

  const auto started = records("gateway_started");
  ASSERT_EQ(started.size(), 1U);
  EXPECT_TRUE(started[0].at("after").get<std::string>().starts_with("skepd.toml sha256 "));

  const auto refused = records("update_refused");
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].at("actor").at("kind"), "device");
  EXPECT_EQ(refused[0].at("actor").at("name"), "bee");
  EXPECT_TRUE(refused[0].at("actor").at("origin").get<std::string>().starts_with("127.0.0.1:"));
  EXPECT_TRUE(refused[0].at("after").get<std::string>().starts_with("k"));

  const auto closed = records("round_closed");
  ASSERT_EQ(closed.size(), 2U);
  expect_operator(closed[0], "admin socket");
  EXPECT_TRUE(closed[0].at("after").get<std::string>().ends_with("contributors bee"));
  EXPECT_TRUE(closed[1].at("after").get<std::string>().starts_with("rolled_back"));
  EXPECT_EQ(records("round_opened").size(), 3U);

  const auto released = records("model_released");
  ASSERT_EQ(released.size(), 2U);  // init's, and that of round 1
  EXPECT_EQ(released[1].at("subject"), "version 2");
  const auto rolled_back = records("model_rolled_back");
  ASSERT_EQ(rolled_back.size(), 1U);
  expect_operator(rolled_back[0], "admin socket");
  EXPECT_EQ(rolled_back[0].at("subject"), "version 3");
  ASSERT_EQ(records("model_exported").size(), 1U);
  const auto revoked = records("device_revoked");
  ASSERT_EQ(revoked.size(), 1U);
  EXPECT_EQ(revoked[0].at("before"), added[0].at("after"));
  EXPECT_EQ(revoked[0].at("after"), "revoked: keyCompromise");
  expect_operator(revoked[0], "skepctl");
  for (const char* event : {"session_refused", "handshake_refused"}) {
    const json record = records(event).at(0);
    EXPECT_EQ(record.at("actor").at("name"), "bee");
    EXPECT_TRUE(record.at("after").get<std::string>().starts_with(
        "kRevoked: the device's certificate is revoked"));
  }
  EXPECT_EQ(records("gateway_stopped").size(), 1U);

  // The stop is signed, and with it everything.
  const json verified = gateway_.operate({"audit", "verify"});
  EXPECT_EQ(verified.at("records"), records().size());
  EXPECT_EQ(verified.at("signed_records"), verified.at("records"));
}

TEST_F(AuditTest, TamperingIsFound) {
  gateway_.stop();
  const auto kept = keep_head();
  EXPECT_EQ(finding({"--head", kept.string()}), "");
  const auto count = records().size();
  ASSERT_GE(count, 4U);
  const std::string last = std::to_string(count);

  tamper(
      "DROP TRIGGER audit_update; DROP TRIGGER audit_delete; DROP TRIGGER audit_heads_delete;"
      "UPDATE audit SET value_after = value_after || '!' WHERE number = 2");
  EXPECT_NE(finding().find("record 2"), std::string::npos) << finding();
  tamper(
      "UPDATE audit SET value_after = substr(value_after, 1, length(value_after) - 1) "
      "WHERE number = 2");
  EXPECT_EQ(finding(), "");

  // Cut off: shows in the stored heads; with them gone, in the kept one only.
  tamper("PRAGMA foreign_keys = OFF; DELETE FROM audit WHERE number = " + last);
  EXPECT_NE(finding().find("record " + last), std::string::npos) << finding();
  tamper("DELETE FROM audit_heads");
  EXPECT_EQ(finding(), "");
  EXPECT_NE(finding({"--head", kept.string()}).find("record " + last), std::string::npos);
}

TEST_F(AuditTest, SurvivesSigkill) {
  for (int i = 0; i < 5; ++i) {
    gateway_.kill();
    EXPECT_EQ(finding(), "");
    gateway_.start();
  }
  EXPECT_EQ(records("gateway_started").size(), 6U);
  EXPECT_EQ(finding({"--head", keep_head().string()}), "");
  std::ofstream(gateway_.directory() / "kept-head") << "garbage";
  EXPECT_NE(finding({"--head", (gateway_.directory() / "kept-head").string()}).find("not an audit"),
            std::string::npos);
}

}  // namespace
}  // namespace skep::e2e
