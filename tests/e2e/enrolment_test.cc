// Devices enrol themselves at the running skepd: requests by `openssl req`, sent by libcoap's own
// coap-client on another TLS library than skepd's, answers checked with openssl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "skep/pki/certificate.h"
#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/process/process.h"
#include "skep/seal/crypto.h"
#include "skep/wire/resources.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"

namespace skep::e2e {
namespace {

using nlohmann::json;
using process::Command;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kPkcs7 = "281";
constexpr const char* kOneCertificate = "287";

struct Token {
  std::string id;
  std::string secret;
};

/// What coap-client wrote: a body, or what it says of a refusal.
struct Reply {
  Buffer body;
  std::string said;
};

class Enrolment : public testing::Test {
 protected:
  Enrolment() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    template_ = gateway_.enrol("template");
    allow_enrolment();
    gateway_.start();
  }

  void allow_enrolment() {
    const fs::path path = gateway_.directory() / "skepd.toml";
    std::string text = process::read_text(path);
    const std::string off = "enabled = false";
    const auto at = text.find(off);
    ASSERT_NE(at, std::string::npos);
    std::ofstream(path) << text.replace(at, off.size(), "enabled = true");
  }

  [[nodiscard]] std::string file(const std::string& name) const { return folder_.path() / name; }

  [[nodiscard]] Token token(const Command& options) const {
    Command command{"token", "new"};
    command.insert(command.end(), options.begin(), options.end());
    const json made = gateway_.operate(command);
    return {made.at("id"), made.at("secret")};
  }
  [[nodiscard]] Token token_for(const std::string& device) const {
    return token({"--device", device});
  }

  static void openssl(Command command) {
    command.insert(command.begin(), "openssl");
    const auto done = pki_testing::run(command);
    ASSERT_EQ(done.exit_code, 0) << command.at(1) << ": " << done.err;
  }

  /// PKCS#10 of the key in the file `key`, which is made if it is not there.
  std::string request(const std::string& name, const std::string& key) {
    if (!fs::exists(file(key))) {
      openssl({"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file(key)});
    }
    const std::string out = file(key + "." + name + ".csr");
    openssl({"req", "-new", "-sha256", "-key", file(key), "-subj", "/CN=" + name, "-outform", "DER",
             "-out", out});
    return out;
  }

  [[nodiscard]] Command by(const Token& token) const {
    return {"-u", token.id, "-k", token.secret};
  }
  /// With the certificate that was saved as `certificate`.
  [[nodiscard]] Command by(const std::string& certificate, const std::string& key) const {
    return {
        "-c", file(certificate), "-j", file(key), "-R", (gateway_.directory() / "ca.crt").string()};
  }

  [[nodiscard]] Command client_command(const Command& who, const std::string& path,
                                       const Command& more) const {
    Command command{SKEP_COAP_CLIENT, "-B", "20", "-o", file("answer")};
    command.insert(command.end(), who.begin(), who.end());
    command.insert(command.end(), more.begin(), more.end());
    command.push_back("coaps://127.0.0.1:" + std::to_string(template_.gateway_port) + "/" + path);
    return command;
  }

  Reply ask(const Command& who, const std::string& path, const Command& more = {}) {
    fs::remove(file("answer"));
    const auto done = process::run(client_command(who, path, more));
    Reply reply{{}, done.out + done.error};
    if (fs::exists(file("answer"))) reply.body = pki::read_file(file("answer"), 65536);
    return reply;
  }
  Reply enrol(const Command& who, const std::string& request, const Command& more = {"-A", "287"}) {
    return ask(who, ".well-known/est/sen", with_request(request, more));
  }
  static Command with_request(const std::string& request, const Command& more) {
    Command command{"-m", "post", "-t", "286", "-f", request};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  /// Refused with this code and words, and nothing is enrolled.
  void expect_refused(const Reply& reply, const std::string& code, const std::string& words) {
    EXPECT_THAT(reply.said, HasSubstr(code));
    EXPECT_THAT(reply.said, HasSubstr(words));
  }

  /// openssl finds that the CA signed this certificate; it is kept in PEM as `name`.
  void expect_certificate(const Reply& reply, const std::string& name) {
    ASSERT_FALSE(reply.body.empty()) << reply.said << gateway_.log();
    const std::string der = file(name + ".der");
    fs::remove(der);
    pki::create_file(der, reply.body, pki::Access::kPublic);
    openssl({"x509", "-inform", "DER", "-in", der, "-out", file(name)});
    openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile",
             gateway_.directory() / "ca.crt", file(name)});
  }

  /// A device with this certificate and key, and the rest of what the federation's devices have.
  wire::DeviceCredentials device(const std::string& name, Bytes certificate,
                                 const std::string& key) {
    wire::DeviceCredentials credentials = template_;
    std::snprintf(credentials.device, sizeof credentials.device, "%s", name.c_str());
    credentials.device_certificate.size =
        static_cast<decltype(credentials.device_certificate.size)>(certificate.size());
    std::ranges::copy(certificate, credentials.device_certificate.bytes);
    fs::permissions(file(key), fs::perms(0600));
    std::ranges::copy(pki::PrivateKey::load(file(key)).scalar(), credentials.device_private_key);
    return credentials;
  }

  /// It takes part in the open round.
  static void expect_takes_part(const wire::DeviceCredentials& credentials) {
    TestClient client(credentials);
    ASSERT_TRUE(client.connect());
    const Answer answer = client.upload(make_update(fetch_task(client), credentials));
    EXPECT_EQ(code_text(answer.code), "2.04") << to_string(answer.problem());
  }
  static void expect_shut_out(const wire::DeviceCredentials& credentials) {
    TestClient client(credentials);
    EXPECT_FALSE(client.connect());
    EXPECT_TRUE(client.was_closed_by_gateway());
  }

  [[nodiscard]] std::size_t devices() const {
    return gateway_.operate({"device", "list"}).at("devices").size();
  }
  [[nodiscard]] json token_with_id(const std::string& id) const {
    const json list = gateway_.operate({"token", "list"});
    for (const json& each : list.at("tokens")) {
      if (each.at("id") == id) return each;
    }
    return {};
  }
  /// Number of records of this event.
  [[nodiscard]] std::size_t recorded(const std::string& event) const {
    const json list = gateway_.operate({"audit", "list", "--limit", "1000"});
    return static_cast<std::size_t>(std::ranges::count_if(
        list.at("records"), [&](const json& each) { return each.at("event") == event; }));
  }

  Gateway gateway_;
  process::TemporaryDirectory folder_;
  wire::DeviceCredentials template_{};
};

TEST_F(Enrolment, InteroperatesWithOpensslAndCoapClient) {
  const Token bee = token_for("bee");
  const Reply ca = ask(by(bee), ".well-known/est/crts");
  ASSERT_FALSE(ca.body.empty()) << ca.said << gateway_.log();
  openssl({"pkcs7", "-inform", "DER", "-in", file("answer"), "-print_certs", "-out", file("ca")});
  EXPECT_THAT(process::read_text(file("ca")),
              HasSubstr(process::read_text(gateway_.directory() / "ca.crt")));
  EXPECT_EQ(ask(by(bee), ".well-known/est/crts", {"-A", kOneCertificate}).body,
            pki::load_certificate(gateway_.directory() / "ca.crt").der);

  const auto listed = ask(by(bee), ".well-known/core?rt=ace.est*").body;
  const std::string links(listed.begin(), listed.end());
  for (const char* name : {"crts", "sen", "sren"}) {
    EXPECT_THAT(links, HasSubstr("</.well-known/est/" + std::string(name) + ">;rt=\"ace.est." +
                                 name + "\";ct=\"281 287\""));
  }
  EXPECT_EQ(links.find("skep/v1"), std::string::npos);

  const Reply one = enrol(by(bee), request("bee", "bee.key"));
  expect_certificate(one, "bee.crt");
  EXPECT_EQ(enrol(by(bee), request("bee", "bee.key")).body, one.body) << "asked again";
  expect_takes_part(device("bee", one.body, "bee.key"));

  // Without Accept it is PKCS#7; in blocks both ways.
  const Token batch = token({"--batch", "2", "--expires", "1h"});
  const Reply bag = enrol(by(batch), request("wasp", "wasp.key"), {"-b", "64"});
  ASSERT_FALSE(bag.body.empty()) << bag.said;
  openssl({"pkcs7", "-inform", "DER", "-in", file("answer"), "-print_certs", "-out", file("w")});
  openssl({"verify", "-CAfile", gateway_.directory() / "ca.crt", file("w")});

  expect_certificate(enrol(by(batch), request("ant", "ant.key")), "ant.crt");
  expect_refused(enrol(by(batch), request("moth", "moth.key")), "4.03", "used up");
  EXPECT_EQ(token_with_id(batch.id).at("state"), "used up");
  EXPECT_EQ(recorded("device_enrolled"), 3U);
  EXPECT_EQ(gateway_.operate({"audit", "verify"}).at("verified"), true);
}

TEST_F(Enrolment, RefusesWhatATokenIsNotFor) {
  const Token bee = token_for("bee");
  const Token short_lived = token({"--device", "late", "--expires", "1s"});
  const std::size_t before = devices();
  EXPECT_EQ(ask(by(bee), wire::kRoundPath).body.empty(), true);
  expect_refused(ask(by(bee), wire::kRoundPath), "4.03", "no device certificate");
  expect_refused(ask(by(bee), wire::kUpdatesPath, {"-m", "post", "-e", "x"}), "4.03",
                 "no device certificate");
  expect_refused(enrol(by(bee), request("wasp", "a.key")), "4.03", "the token is for 'bee'");
  std::ofstream(file("garbage")) << std::string(300, 'x');
  expect_refused(enrol(by(bee), file("garbage")), "4.00", "not PKCS#10");
  std::ofstream(file("huge")) << std::string(5000, 'x');
  expect_refused(enrol(by(bee), file("huge")), "4.13", "");
  expect_refused(enrol(by(bee), request("bee", "a.key"), {"-A", "0"}), "4.06", "281");
  expect_refused(ask(by(bee), ".well-known/est/sen", {"-m", "post", "-t", "0", "-e", "x"}), "4.15",
                 "286");
  expect_refused(ask(by(bee), ".well-known/est/sren", with_request(request("bee", "a.key"), {})),
                 "4.03", "/sen");

  // Those whose token opens no session get no answer at all.
  const Token revoked = token_for("wasp");
  (void)gateway_.operate({"token", "revoke", revoked.id});
  while (token_with_id(short_lived.id).at("state") != "expired") {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (const Token& each : {revoked, short_lived, Token{bee.id, std::string(32, 'a')},
                            Token{"0000000000000000", bee.secret}}) {
    EXPECT_TRUE(ask(by(each), ".well-known/est/crts", {"-B", "3"}).body.empty());
  }
  EXPECT_EQ(devices(), before);
  EXPECT_EQ(token_with_id(bee.id).at("uses"), 0);
  // Not a word of a secret is stored.
  EXPECT_EQ(process::read_text(gateway_.database()).find(bee.secret), std::string::npos);
  EXPECT_EQ(process::read_text(gateway_.database().string() + "-wal").find(bee.secret),
            std::string::npos);
  for (int i = 0; i < 50 && recorded("enrolment_refused") < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_GE(recorded("enrolment_refused"), 3U);
}

TEST_F(Enrolment, ARenewedKeyTakesOverAndARevokedNameComesBack) {
  const Token token = token_for("bee");
  const Reply first = enrol(by(token), request("bee", "bee.key"));
  expect_certificate(first, "bee.crt");
  const auto old = device("bee", first.body, "bee.key");
  expect_takes_part(old);
  expect_refused(enrol(by("bee.crt", "bee.key"), request("bee", "new.key")), "4.03", "/sren");

  const Reply renewed = ask(by("bee.crt", "bee.key"), ".well-known/est/sren",
                            with_request(request("bee", "new.key"), {"-A", kOneCertificate}));
  expect_certificate(renewed, "new.crt");
  gateway_.finish_round();
  expect_takes_part(device("bee", renewed.body, "new.key"));
  expect_shut_out(old);
  const json status = gateway_.operate({"device", "status", "bee"});
  EXPECT_EQ(status.at("revoked"), false);
  EXPECT_EQ(status.at("revocations").at(0).at("reason"), "superseded");
  EXPECT_EQ(recorded("key_replaced"), 1U);

  gateway_.revoke("bee");
  EXPECT_TRUE(enrol(by(token), request("bee", "third.key"), {"-B", "3"}).body.empty());
  const Token anew = token_for("bee");
  expect_refused(enrol(by(anew), request("bee", "new.key")), "4.03", "revoked");
  const Reply back = enrol(by(anew), request("bee", "third.key"));
  expect_certificate(back, "third.crt");
  // The name has answered this round, with what the revocation took out.
  expect_takes_part(template_);
  gateway_.finish_round();
  expect_takes_part(device("bee", back.body, "third.key"));
  EXPECT_EQ(gateway_.operate({"audit", "verify"}).at("verified"), true);
}

TEST_F(Enrolment, TheEleventhRegistrationInAMinuteWaits) {
  gateway_.stop();
  gateway_.configure("registrations_per_minute", "10");
  gateway_.start();
  const std::size_t before = devices();
  for (int i = 0; i < 10; ++i) {
    const Token token = token_for("bee-" + std::to_string(i));
    EXPECT_FALSE(ask(by(token), ".well-known/est/crts").body.empty()) << i;
  }
  const Token eleventh = token_for("wasp");
  expect_refused(enrol(by(eleventh), request("wasp", "wasp.key")), "4.29", "register at this");
  EXPECT_EQ(devices(), before);
  EXPECT_EQ(token_with_id(eleventh.id).at("uses"), 0);
}

TEST_F(Enrolment, SigkillAtAnyMomentLosesNoDevice) {
  for (int i = 0; i < 4; ++i) {
    const std::string name = "bee-" + std::to_string(i);
    const Token token = token_for(name);
    const std::string csr = request(name, name + ".key");
    {
      const process::Process client(
          client_command(by(token), ".well-known/est/sen", with_request(csr, {})), file("said"));
      std::this_thread::sleep_for(std::chrono::milliseconds(20 * i));
      gateway_.kill();
    }
    gateway_.start();
    expect_certificate(enrol(by(token), csr), name + ".crt");
    EXPECT_EQ(token_with_id(token.id).at("uses"), 1);
  }
  EXPECT_EQ(recorded("device_enrolled"), 4U);
  EXPECT_EQ(gateway_.operate({"audit", "verify"}).at("verified"), true);
}

}  // namespace
}  // namespace skep::e2e
