// The program itself, from the outside.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_skepd.h"
#include "skep/pki/certificate.h"
#include "skep/pki/federation.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using pki_testing::CommandResult;
using pki_testing::TemporaryDirectory;

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

std::vector<std::string> small_model() {
  return {"--inputs", "4", "--input-exponent", "-4", "--layers", "dense:3,relu,dense:2"};
}

class Skepctl : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("SKEP_DIR");
    initialise(directory_);
  }

  static CommandResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), SKEPCTL_PATH);
    return pki_testing::run(arguments);
  }

  /// In the test's federation.
  [[nodiscard]] CommandResult here(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--dir", directory_.string()});
    return run(std::move(arguments));
  }

  /// The one JSON document of a command that succeeds.
  [[nodiscard]] json document(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--format", "json"});
    const CommandResult result = here(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_EQ(result.err, "");
    return json::parse(result.out);  // Throws if there is anything else in it.
  }

  /// The error of a command that fails, the same in both formats. Returns {code, detail}.
  [[nodiscard]] json failure(std::vector<std::string> arguments) const {
    const CommandResult text = here(arguments);
    EXPECT_EQ(text.out, "");
    arguments.insert(arguments.end(), {"--format", "json"});
    const CommandResult result = here(arguments);
    EXPECT_NE(result.exit_code, 0) << result.out;
    EXPECT_EQ(text.exit_code, result.exit_code);
    EXPECT_EQ(result.err, "");
    const json error = json::parse(result.out)["error"];
    const std::string detail = error["detail"];
    EXPECT_NE(text.err.find(detail), std::string::npos) << text.err;
    return error;
  }

  static CommandResult initialise(const fs::path& directory,
                                  const std::vector<std::string>& more = {"--seed", "7"}) {
    std::vector<std::string> arguments{"init", directory.string()};
    const auto model = small_model();
    arguments.insert(arguments.end(), model.begin(), model.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  const TemporaryDirectory folder_;
  const fs::path directory_ = folder_ / "federation";
};

// ---- init

TEST_F(Skepctl, InitMakesAPrivateDirectoryWithPrivateSecrets) {
  EXPECT_EQ(mode_of(directory_), 0700U);
  EXPECT_EQ(mode_of(directory_ / "devices"), 0700U);
  for (const char* name :
       {"ca.key", "gateway.key", "signing.key", "aggregation.key", "skep.db", "skepd.toml"}) {
    EXPECT_EQ(mode_of(directory_ / name), 0600U) << name;
  }
}

TEST_F(Skepctl, TheSeedDecidesTheWeights) {
  ASSERT_EQ(initialise(folder_ / "same").exit_code, 0);
  ASSERT_EQ(initialise(folder_ / "other", {"--seed", "8"}).exit_code, 0);
  const auto digest = [](const fs::path& directory) {
    const CommandResult shown =
        run({"--dir", directory.string(), "--format", "json", "model", "show"});
    return json::parse(shown.out)["weights_sha256"].get<std::string>();
  };
  EXPECT_EQ(digest(directory_), digest(folder_ / "same"));
  EXPECT_NE(digest(directory_), digest(folder_ / "other"));
}

TEST_F(Skepctl, InitNeverTouchesADirectoryWithSomethingInIt) {
  const std::string before = read_text(directory_ / "ca.key");
  EXPECT_EQ(initialise(directory_).exit_code, 1);
  EXPECT_EQ(read_text(directory_ / "ca.key"), before);
  EXPECT_TRUE(fs::exists(directory_ / "skepd.toml"));
}

TEST_F(Skepctl, AnInitThatFailsLeavesNothing) {
  const fs::path missing = folder_ / "new";
  const fs::path empty = folder_ / "empty";
  fs::create_directory(empty);
  write_text(folder_ / "bad.csv", "1,2,3,4,9\n");
  const std::vector<std::vector<std::string>> bad = {{"--gateway-address", "localhost"},
                                                     {"--gateway-name", "not a name"},
                                                     {"--model-name", "Digits"},
                                                     {"--quorum", "0"},
                                                     {"--holdout", (folder_ / "none").string()},
                                                     {"--holdout", (folder_ / "bad.csv").string()},
                                                     {"--clip-norm", "0"},
                                                     {"--clip-norm", "nan"},
                                                     {"--keep-permille", "1001"},
                                                     {"--value-bits", "1"},
                                                     {"--compression", "zip"},
                                                     {"--momentum", "1"},
                                                     {"--momentum", "nan"},
                                                     {"--proximal-mu", "-0.1"},
                                                     {"--port", "65536"},
                                                     {"--seed", "-1"},
                                                     {"--seed", "4294967296"},
                                                     {"--layers", "relu"}};
  for (const auto& options : bad) {
    EXPECT_NE(initialise(missing, options).exit_code, 0) << options[0] << " " << options[1];
    EXPECT_FALSE(fs::exists(missing)) << options[0] << " " << options[1];
    EXPECT_NE(initialise(empty, options).exit_code, 0);
    EXPECT_TRUE(fs::is_empty(empty));
  }
  EXPECT_EQ(initialise(missing).exit_code, 0);
  EXPECT_EQ(initialise(empty).exit_code, 0);
}

TEST_F(Skepctl, InitWritesTheConfigurationThatItWasGiven) {
  write_text(folder_ / "hold'out.csv", "1,2,3,4,1\n");
  ASSERT_EQ(initialise(folder_ / "b",
                       {"--gateway-address", "127.0.0.2", "--gateway-address", "::1", "--port",
                        "7000", "--quorum", "3", "--clip-norm", "2.5", "--compression", "eden",
                        "--momentum", "0.5", "--holdout", (folder_ / "hold'out.csv").string()})
                .exit_code,
            0);
  const toml::table config = toml::parse_file((folder_ / "b/skepd.toml").string());
  EXPECT_EQ(config["coap"]["listen"].value<std::string>(), "127.0.0.2");
  EXPECT_EQ(config["coap"]["port"].value<int>(), 7000);
  EXPECT_EQ(config["round"]["quorum"].value<int>(), 3);
  EXPECT_EQ(config["round"]["clip_norm"].value_exact<double>(), 2.5);
  EXPECT_EQ(config["round"]["compression"].value<std::string>(), "eden");
  EXPECT_EQ(config["round"]["momentum"].value_exact<double>(), 0.5);
  EXPECT_EQ(config["round"]["proximal_mu"].value_exact<double>(), 0.0);
  EXPECT_EQ(config["round"]["learning_rate_mantissa"].value<int>(), 1638);
  EXPECT_EQ(config["evaluation"]["holdout"].value<std::string>(),
            (folder_ / "hold'out.csv").string());
  EXPECT_EQ(config["store"]["database"].value<std::string>(), "skep.db");
  const pki::Certificate gateway = pki::load_certificate(folder_ / "b/gateway.crt");
  EXPECT_EQ(gateway.ip_addresses, (std::vector<std::string>{"127.0.0.2", "::1"}));
  const json shown = json::parse(
      run({"--dir", (folder_ / "b").string(), "--format", "json", "model", "show"}).out);
  EXPECT_EQ(shown["evaluation"]["sample_count"], 1);
}

// ---- devices

TEST_F(Skepctl, ADeviceIsAddedListedAndRevoked) {
  const json added = document({"device", "add", "sensor-1"});
  const fs::path file = added["credentials"].get<std::string>();
  EXPECT_EQ(file, directory_ / "devices/sensor-1.cred");
  EXPECT_EQ(mode_of(file), 0600U);
  pki::Credentials credentials;
  pki::load_credentials(file, credentials);
  EXPECT_STREQ(credentials.message.device, "sensor-1");
  EXPECT_STREQ(credentials.message.gateway_host, "127.0.0.1");
  EXPECT_EQ(credentials.message.gateway_port, 5684U);

  ASSERT_EQ(document({"device", "add", "sensor-2", "--out", (folder_ / "s2").string()})["name"],
            "sensor-2");
  EXPECT_EQ(mode_of(folder_ / "s2"), 0600U);
  json devices = document({"device", "list"})["devices"];
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0]["name"], "sensor-1");
  EXPECT_EQ(devices[0]["revoked"], false);

  const json revoked = document({"device", "revoke", "sensor-1", "--reason", "keyCompromise",
                                 "--note", "stolen, ticket 4711"});
  EXPECT_EQ(revoked["revoked"], true);
  EXPECT_EQ(revoked["reason"], "keyCompromise");
  devices = document({"device", "list"})["devices"];
  EXPECT_EQ(devices[0]["revoked"], true);
  EXPECT_EQ(devices[0]["revocations"][0]["note"], "stolen, ticket 4711");
  EXPECT_EQ(devices[1]["revoked"], false);
}

TEST_F(Skepctl, ARevocationThatCannotBeChangesNothing) {
  (void)document({"device", "add", "a"});
  (void)document({"device", "add", "b"});
  const auto refused = [this](const char* name, const char* reason, const char* note = "") {
    return failure({"device", "revoke", name, "--reason", reason, "--note", note})["code"];
  };
  EXPECT_EQ(refused("nobody", "superseded"), "kNotFound");
  EXPECT_EQ(refused("a", ""), "kInvalidArgument");
  EXPECT_EQ(refused("a", "stolen"), "kInvalidArgument");
  EXPECT_EQ(refused("a", "certificateHold"), "kInvalidArgument");
  EXPECT_EQ(refused("a", "superseded", std::string(201, 'x').c_str()), "kInvalidArgument");
  EXPECT_EQ(refused("a", "superseded", "two\nlines"), "kInvalidArgument");
  EXPECT_EQ(failure({"device", "revoke", "a"})["code"], "kInvalidArgument");
  EXPECT_EQ(document({"device", "status", "a"})["revoked"], false);

  (void)document({"device", "revoke", "b", "--reason", "superseded"});
  EXPECT_EQ(refused("b", "keyCompromise"), "kInvalidArgument");
  EXPECT_EQ(document({"device", "status", "b"})["revocations"].size(), 1U);
}

TEST_F(Skepctl, TheStatusOfADeviceSaysWhatOpensslSays) {
  (void)document({"device", "add", "a"});
  pki::Credentials credentials;
  pki::load_credentials(directory_ / "devices/a.cred", credentials);
  const auto& certificate = credentials.message.device_certificate;
  const fs::path der = folder_ / "a.der";
  write_text(der, {reinterpret_cast<const char*>(certificate.bytes), certificate.size});
  const auto openssl = [&](const char* option) {
    const CommandResult result = pki_testing::run(
        {"openssl", "x509", "-inform", "DER", "-in", der.string(), "-noout", option, "-sha256"});
    std::string value = result.out.substr(result.out.find('=') + 1);
    std::erase_if(value, [](char c) { return c == ':' || c == '\n'; });
    std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::tolower(c); });
    return value;
  };
  const json status = document({"device", "status", "a"});
  EXPECT_EQ(status["certificate"]["serial"], openssl("-serial"));
  EXPECT_EQ(status["certificate"]["sha256"], openssl("-fingerprint"));
  EXPECT_GT(status["certificate"]["not_after_unix_s"], status["added_unix_s"]);
  EXPECT_LT(status["certificate"]["not_before_unix_s"], status["added_unix_s"]);
  EXPECT_EQ(status["added_by"].get<std::string>().rfind("uid " + std::to_string(::getuid()), 0),
            0U);
  EXPECT_EQ(status["accepted"], 0);
  EXPECT_EQ(status["refused"], json::object());
  EXPECT_EQ(status["revocations"], json::array());
  const CommandResult text = here({"device", "status", "a"});
  EXPECT_NE(text.out.find(status["certificate"]["sha256"].get<std::string>()), std::string::npos);
  EXPECT_EQ(failure({"device", "status", "b"})["code"], "kNotFound");
}

TEST_F(Skepctl, TheRevocationListHasTheOldCertificateOfANameThatCameBack) {
  (void)document({"device", "add", "a"});
  const json old = document({"device", "status", "a"})["certificate"];
  (void)document({"device", "revoke", "a", "--reason", "keyCompromise", "--note", "stolen"});
  (void)failure({"device", "add", "a"});  // its old credentials are in the way
  fs::remove(directory_ / "devices/a.cred");
  (void)document({"device", "add", "a"});
  const json anew = document({"device", "status", "a"});
  EXPECT_EQ(anew["revoked"], false);
  (void)failure({"device", "add", "a"});

  // The audit log and the table of devices name the same people, keys and reasons.
  const json records = document({"audit", "list"})["records"];
  ASSERT_EQ(records.size(), 4U);  // The first is of the model that init made; none of failures.
  const auto recorded = [](const char* state, const json& certificate) {
    return std::string(state) + "; certificate sha256 " + certificate["sha256"].get<std::string>();
  };
  EXPECT_EQ(records[1]["before"], "");
  EXPECT_EQ(records[1]["after"], recorded("enrolled", old));
  EXPECT_EQ(records[2]["before"], recorded("enrolled", old));
  EXPECT_EQ(records[2]["after"], "revoked: keyCompromise, stolen");
  EXPECT_EQ(records[2]["actor"]["name"], anew["revocations"][0]["revoked_by"]);
  EXPECT_EQ(records[3]["before"], recorded("revoked", old));
  EXPECT_EQ(records[3]["after"], recorded("enrolled", anew["certificate"]));
  EXPECT_EQ(records[3]["actor"]["name"], anew["added_by"]);

  const fs::path crl = folder_ / "crl.der";
  EXPECT_EQ(document({"device", "crl", "--out", crl.string()})["number"], 1);
  const json second = document({"device", "crl", "--out", crl.string(), "--days", "30"});
  EXPECT_EQ(second["number"], 2);
  EXPECT_EQ(second["certificates"], 1);
  EXPECT_EQ(second["next_update_unix_s"].get<std::int64_t>(),
            second["this_update_unix_s"].get<std::int64_t>() + 30 * 86400);
  const CommandResult shown =
      pki_testing::run({"openssl", "crl", "-inform", "DER", "-in", crl.string(), "-CAfile",
                        (directory_ / "ca.crt").string(), "-verify", "-noout", "-text"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  std::string serial = old["serial"];
  std::ranges::transform(serial, serial.begin(), [](unsigned char c) { return std::toupper(c); });
  EXPECT_NE(shown.out.find(serial), std::string::npos) << shown.out;
  std::string current = document({"device", "status", "a"})["certificate"]["serial"];
  std::ranges::transform(current, current.begin(), [](unsigned char c) { return std::toupper(c); });
  EXPECT_EQ(shown.out.find(current), std::string::npos) << shown.out;
  EXPECT_EQ(failure({"device", "crl", "--out", crl.string(), "--days", "0"})["code"],
            "kInvalidArgument");
}

TEST_F(Skepctl, ATokenIsShownOnceListedAndRevoked) {
  const json made = document({"token", "new", "--device", "bee", "--expires", "2h"});
  EXPECT_EQ(made["secret"].get<std::string>().size(), 32U);
  EXPECT_EQ(made["expires_unix_s"].get<std::int64_t>() - made["made_unix_s"].get<std::int64_t>(),
            7'200);
  EXPECT_EQ(mode_of(directory_ / "enrolment.key"), 0600U);
  const json batch = document({"token", "new", "--batch", "7"});
  EXPECT_EQ(batch["device"], nullptr);
  EXPECT_EQ(batch["allowed_uses"], 7);

  const json tokens = document({"token", "list"});
  ASSERT_EQ(tokens["tokens"].size(), 2U);
  EXPECT_EQ(tokens.dump().find("secret"), std::string::npos);
  const std::string id = made["id"];
  EXPECT_EQ(document({"token", "revoke", id})["revoked"], true);
  EXPECT_EQ(failure({"token", "revoke", id})["code"], "kInvalidArgument");
  const json after = document({"token", "list"});
  for (const json& each : after["tokens"]) {
    EXPECT_EQ(each["state"], each["id"] == id ? "revoked" : "open");
  }
  const json records = document({"audit", "list", "--limit", "3"})["records"];
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0]["event"], "token_made");
  EXPECT_EQ(records[1]["event"], "token_made");
  EXPECT_EQ(records[2]["event"], "token_revoked");
  EXPECT_EQ(records[2]["subject"], "token " + id);
}

TEST_F(Skepctl, ATokenThatCannotBeIsNotMade) {
  EXPECT_EQ(failure({"token", "new"})["code"], "kInvalidArgument");
  EXPECT_EQ(failure({"token", "new", "--device", "a", "--batch", "2"})["code"], "kInvalidArgument");
  EXPECT_EQ(failure({"token", "new", "--batch", "100001"})["code"], "kInvalidArgument");
  EXPECT_EQ(failure({"token", "new", "--device", "../a"})["code"], "kInvalidArgument");
  for (const char* expires : {"24", "0h", "-1h", "h", "367d", "1w", "99999999999999999999s"}) {
    EXPECT_EQ(failure({"token", "new", "--device", "a", "--expires", expires})["code"],
              "kInvalidArgument")
        << expires;
  }
  EXPECT_EQ(failure({"token", "revoke", "0000000000000000"})["code"], "kNotFound");
  EXPECT_TRUE(document({"token", "list"})["tokens"].empty());
}

TEST_F(Skepctl, ADeviceThatIsNotAddedLeavesNothing) {
  ASSERT_EQ(here({"device", "add", "a"}).exit_code, 0);
  const std::string before = read_text(directory_ / "devices/a.cred");
  EXPECT_EQ(failure({"device", "add", "a", "--out", (folder_ / "new").string()})["code"],
            "kInvalidArgument");
  for (const char* name : {"A", "a_b", "../a", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_EQ(failure({"device", "add", name, "--out", (folder_ / "new").string()})["code"],
              "kInvalidArgument")
        << name;
  }
  (void)failure({"device", "add", "b", "--gateway-address", "10.9.8.7"});
  (void)failure({"device", "add", "b", "--out", (directory_ / "devices/a.cred").string()});
  EXPECT_FALSE(fs::exists(folder_ / "new"));
  EXPECT_EQ(read_text(directory_ / "devices/a.cred"), before);
  EXPECT_EQ(document({"device", "list"})["devices"].size(), 1U);
}

TEST_F(Skepctl, AnExposedCaKeyIsNotUsed) {
  ASSERT_EQ(::chmod((directory_ / "ca.key").c_str(), 0644), 0);
  const json error = failure({"device", "add", "a"});
  EXPECT_NE(error["detail"].get<std::string>().find("0644"), std::string::npos) << error;
  EXPECT_EQ(document({"device", "list"})["devices"].size(), 0U);
}

// ---- models

TEST_F(Skepctl, ShowsAndListsTheFirstModel) {
  const json models = document({"model", "list"})["models"];
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0]["model_version"], 1);
  EXPECT_EQ(models[0]["served"], true);
  EXPECT_TRUE(models[0]["evaluation"]["accuracy"].is_null());
  const json shown = document({"model", "show", "1"});
  EXPECT_EQ(shown["spec"]["layers"].size(), 3U);
  EXPECT_EQ(shown["spec"]["layers"][1]["kind"], "relu");
  EXPECT_EQ(shown["spec"]["parameter_count"], (4 + 1) * 3 + (3 + 1) * 2);
  EXPECT_EQ(failure({"model", "show", "2"})["code"], "kNotFound");
}

TEST_F(Skepctl, AnExportVerifiesWithThePublicKeyAlone) {
  const fs::path out = folder_ / "export";
  EXPECT_EQ(document({"model", "export", "--out", out.string()})["model_version"], 1);
  fs::rename(directory_ / "signing.pub", folder_ / "trusted.pub");
  fs::remove_all(directory_);
  for (const fs::path& path : {out, out / "model.skep"}) {
    const json verified =
        document({"model", "verify", path.string(), "--key", (folder_ / "trusted.pub").string()});
    EXPECT_EQ(verified["verified"], true);
    EXPECT_EQ(verified["model_version"], 1);
  }
}

TEST_F(Skepctl, ATamperedExportIsRefused) {
  const fs::path out = folder_ / "export";
  const std::string key = (directory_ / "signing.pub").string();
  ASSERT_EQ(here({"model", "export", "--out", out.string()}).exit_code, 0);
  for (const char* name : {"model.skep", "model.onnx", "metadata.json", "signature.bin"}) {
    const std::string whole = read_text(out / name);
    std::string altered = whole;
    altered[altered.size() / 2] = static_cast<char>(altered[altered.size() / 2] ^ 1);
    write_text(out / name, altered);
    const json error = failure({"model", "verify", out.string(), "--key", key});
    EXPECT_TRUE(error["code"] == "kBadSignature" || error["code"] == "kBadDigest") << error;
    write_text(out / name, whole);
  }
  ASSERT_EQ(initialise(folder_ / "other").exit_code, 0);
  EXPECT_EQ(failure({"model", "verify", out.string(), "--key",
                     (folder_ / "other/signing.pub").string()})["code"],
            "kBadSignature");
  EXPECT_EQ(failure({"model", "export", "--out", out.string()})["code"], "kStorageFailed");
  EXPECT_EQ(
      failure({"model", "export", "--version", "5", "--out", (folder_ / "x").string()})["code"],
      "kNotFound");
}

// ---- models that no federation has signed yet

constexpr const char* kSeries = R"(inputs: 24 input_width: 8 input_exponent: -4
layers { kind: LAYER_KIND_CONV outputs: 4 kernel_width: 3 }
layers { kind: LAYER_KIND_RELU }
layers { kind: LAYER_KIND_GLOBAL_AVERAGE_POOL }
layers { kind: LAYER_KIND_DENSE outputs: 2 }
)";

class ModelFolders : public Skepctl {
 protected:
  void SetUp() override {
    Skepctl::SetUp();
    write_text(spec_, kSeries);
  }
  /// Runs `model new`.
  [[nodiscard]] json make(const fs::path& out) const {
    return document({"model", "new", spec_.string(), "--seed", "5", "--out", out.string()});
  }

  const fs::path spec_ = folder_ / "series.textproto";
  const fs::path model_ = folder_ / "series";
};

TEST_F(ModelFolders, NewDrawsWeightsFromTheSeed) {
  const json made = make(model_);
  EXPECT_EQ(made["parameter_count"], (3 * 3 + 1) * 4 + (4 + 1) * 2);
  EXPECT_EQ(made["seed"], 5);
  EXPECT_EQ(made["layers"][0]["output"], json({1, 6, 4}));
  EXPECT_EQ(make(folder_ / "same")["weights_sha256"], made["weights_sha256"]);
  EXPECT_NE(document({"model", "new", spec_.string(), "--seed", "6", "--out",
                      (folder_ / "other").string()})["weights_sha256"],
            made["weights_sha256"]);
  const std::string text = read_text(model_ / "spec.textproto");
  EXPECT_NE(text.find("LAYER_KIND_GLOBAL_AVERAGE_POOL"), std::string::npos) << text;
}

TEST_F(ModelFolders, ABadSpecLeavesNoFolder) {
  for (const char* text :
       {"", "inputs: 24", "layers {", "inputs: 24 layers { kind: 77 outputs: 1 }",
        "inputs: 24 layers { kind: LAYER_KIND_RELU }",
        "inputs: 24 layers { kind: LAYER_KIND_DENSE outputs: 20000 }"}) {
    write_text(spec_, text);
    const json error = failure({"model", "new", spec_.string(), "--out", model_.string()});
    EXPECT_NE(error["detail"].get<std::string>().find("series.textproto"), std::string::npos);
    EXPECT_FALSE(fs::exists(model_));
    (void)failure({"model", "plan", spec_.string()});
  }
  (void)failure({"model", "new", (folder_ / "none").string(), "--out", model_.string()});
  write_text(spec_, kSeries);
  fs::create_directory(model_);
  EXPECT_EQ(failure({"model", "new", spec_.string(), "--out", model_.string()})["code"],
            "kStorageFailed");
  EXPECT_TRUE(fs::is_empty(model_));
}

TEST_F(ModelFolders, InitBeginsWithAFoldersModel) {
  const json made = make(model_);
  const fs::path other = folder_ / "other";
  const CommandResult result = run({"init", other.string(), "--model", model_.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json shown =
      json::parse(run({"--dir", other.string(), "--format", "json", "model", "show"}).out);
  EXPECT_EQ(shown["weights_sha256"], made["weights_sha256"]);
  EXPECT_EQ(shown["spec"]["layers"], made["layers"]);
  EXPECT_NE(run({"--dir", other.string(), "model", "show"}).out.find("global_average_pool"),
            std::string::npos);
}

TEST_F(ModelFolders, InitRefusesAFolderWhosePartsDoNotBelongTogether) {
  (void)make(model_);
  const std::string weights = read_text(model_ / "weights.bin");
  const fs::path other = folder_ / "other";
  write_text(model_ / "weights.bin", weights.substr(1));
  const CommandResult result = run({"init", other.string(), "--model", model_.string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("weights.bin"), std::string::npos) << result.err;
  EXPECT_FALSE(fs::exists(other));
  std::string exponent = weights;
  exponent[1] = 0x7F;  // The first layer's is then far above 0.
  write_text(model_ / "weights.bin", exponent);
  EXPECT_EQ(run({"init", other.string(), "--model", model_.string()}).exit_code, 1);
  EXPECT_FALSE(fs::exists(other));
  EXPECT_EQ(run({"init", other.string(), "--model", model_.string(), "--inputs", "4"}).exit_code,
            2);
  EXPECT_EQ(run({"init", other.string(), "--inputs", "4"}).exit_code, 2);
  EXPECT_EQ(run({"init", other.string()}).exit_code, 2);
}

TEST_F(ModelFolders, AnExportComesBackThroughOnnx) {
  const json made = make(model_);
  const fs::path other = folder_ / "other";
  ASSERT_EQ(run({"init", other.string(), "--model", model_.string()}).exit_code, 0);
  const fs::path out = folder_ / "export";
  ASSERT_EQ(run({"--dir", other.string(), "model", "export", "--out", out.string()}).exit_code, 0);
  const std::string onnx = (out / "model.onnx").string();
  const fs::path back = folder_ / "back";
  const json imported =
      document({"model", "import", onnx, "--input-exponent", "-4", "--out", back.string()});
  EXPECT_EQ(imported["weights_sha256"], made["weights_sha256"]);
  EXPECT_EQ(read_text(back / "spec.textproto"), read_text(model_ / "spec.textproto"));

  const json refused = failure({"model", "import", onnx, "--input-exponent", "-4", "--loss",
                                "binary_cross_entropy", "--out", (folder_ / "frozen").string()});
  EXPECT_NE(refused["detail"].get<std::string>().find("Softmax"), std::string::npos) << refused;
  EXPECT_FALSE(fs::exists(folder_ / "frozen"));
  EXPECT_EQ(document({"model", "import", onnx, "--input-exponent", "-4", "--freeze", "2", "--out",
                      (folder_ / "frozen").string()})["trainable_count"],
            (4 + 1) * 2);

  // A signed export needs --key, an ONNX model --input-exponent: never the other's options.
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {onnx},
           {onnx, "--input-exponent", "-4", "--key", (other / "signing.pub").string()},
           {onnx, "--input-exponent", "-4", "--force"},
           {out.string()},
           {out.string(), "--key", (other / "signing.pub").string(), "--freeze", "1"}}) {
    std::vector<std::string> arguments{"model", "import"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(here(arguments).exit_code, 2);
    EXPECT_EQ(failure(arguments)["code"], "kInvalidArgument");
  }
}

TEST_F(ModelFolders, ABadOnnxFileIsNamedAndLeavesNothing) {
  const fs::path file = folder_ / "bad.onnx";
  write_text(file, "this is no model");
  const json error = failure(
      {"model", "import", file.string(), "--input-exponent", "-4", "--out", model_.string()});
  EXPECT_EQ(error["code"], "kMalformed");
  EXPECT_NE(error["detail"].get<std::string>().find("bad.onnx"), std::string::npos) << error;
  EXPECT_FALSE(fs::exists(model_));
  EXPECT_EQ(failure({"model", "import", file.string(), "--input-exponent", "-4", "--loss", "hinge",
                     "--out", model_.string()})["code"],
            "kInvalidArgument");
  EXPECT_NE(
      here({"model", "import", (folder_ / "no.onnx").string(), "--input-exponent", "-4"}).exit_code,
      0);
}

TEST_F(ModelFolders, PlanSaysWhatEachLayerCostsAndWhereItFits) {
  const json plan = document({"model", "plan", spec_.string()});
  ASSERT_EQ(plan["layers"].size(), 4U);
  EXPECT_EQ(plan["layers"][0]["forward_macs"], 6 * 4 * 9);
  EXPECT_EQ(plan["layers"][3]["parameter_count"], 10);
  std::uint64_t bytes = plan["shared_training_bytes"];
  for (const json& layer : plan["layers"]) bytes += layer["training_bytes"].get<std::uint64_t>();
  EXPECT_EQ(plan["training_bytes"], bytes);
  ASSERT_GE(plan["device"]["boards"].size(), 5U);
  for (const json& board : plan["device"]["boards"]) EXPECT_EQ(board["fits"], true) << board;

  const std::uint32_t ram = plan["device"]["ram_bytes"];
  const std::uint32_t flash = plan["device"]["flash_bytes"];
  const auto fits = [&](std::uint32_t ram_bytes, std::uint32_t flash_bytes) {
    const json answer =
        document({"model", "plan", spec_.string(), "--ram", std::to_string(ram_bytes), "--flash",
                  std::to_string(flash_bytes)});
    return answer["device"]["boards"][0]["fits"].get<bool>();
  };
  EXPECT_TRUE(fits(ram, flash));
  EXPECT_FALSE(fits(ram - 1, flash));
  EXPECT_FALSE(fits(ram, flash - 1));

  const json momentum = document(
      {"model", "plan", spec_.string(), "--optimizer", "momentum", "--board", "mps2_an386"});
  EXPECT_EQ(momentum["training_bytes"].get<std::uint64_t>() - bytes, (9 * 4 + 8) * 2 + 6 * 4);
  EXPECT_EQ(momentum["device"]["boards"].size(), 1U);
  EXPECT_EQ(failure({"model", "plan", spec_.string(), "--board", "abacus"})["code"], "kNotFound");
  EXPECT_EQ(failure({"model", "plan", spec_.string(), "--optimizer", "adam"})["code"],
            "kInvalidArgument");
  const std::string text = here({"model", "plan", spec_.string()}).out;
  EXPECT_NE(text.find("mps2_an386: fits"), std::string::npos) << text;
}

TEST_F(ModelFolders, ReleaseHandsTheModelToSkepd) {
  const json made = make(model_);
  FakeSkepd skepd(directory_ / "skepd.sock");
  skepd.answer(200, R"({"version":2})");
  EXPECT_EQ(document({"model", "release", model_.string()})["version"], 2);
  EXPECT_EQ(document({"model", "release", model_.string(), "--force"})["version"], 2);
  const std::vector<FakeSkepd::Request> requests = skepd.take_requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].target, "/api/v1/model/import?force=0");
  EXPECT_EQ(requests[1].target, "/api/v1/model/import?force=1");
  // What was handed over is a package of this federation with that model in it.
  write_text(folder_ / "handed.skep", requests[0].body);
  const json verified = document({"model", "verify", (folder_ / "handed.skep").string(), "--key",
                                  (directory_ / "signing.pub").string()});
  EXPECT_EQ(verified["weights_sha256"], made["weights_sha256"]);
  write_text(model_ / "weights.bin", "short");
  EXPECT_EQ(failure({"model", "release", model_.string()})["code"], "kMalformed");
  EXPECT_TRUE(skepd.take_requests().empty());
}

// ---- what skepd does

TEST_F(Skepctl, WithoutSkepdTheSocketIsNamed) {
  const std::vector<std::vector<std::string>> commands = {
      {"round", "status"}, {"round", "aggregate"}, {"model", "rollback", "--to", "1"}};
  for (const auto& command : commands) {
    const json error = failure(command);
    EXPECT_EQ(error["code"], "kUnreachable");
    EXPECT_NE(error["detail"].get<std::string>().find((directory_ / "skepd.sock").string()),
              std::string::npos)
        << error;
  }
  write_text(directory_ / "skepd.sock", "not a socket");
  EXPECT_EQ(failure({"round", "status"})["code"], "kUnreachable");
}

TEST_F(Skepctl, AsksSkepdOverItsSocket) {
  FakeSkepd skepd(directory_ / "skepd.sock");
  skepd.answer(200, R"({"round":3,"state":"open","outcome":"released"})");
  EXPECT_EQ(document({"round", "aggregate", "--force"})["round"], 3);
  EXPECT_EQ(document({"round", "aggregate"})["round"], 3);
  EXPECT_EQ(document({"model", "rollback", "--to", "1"})["round"], 3);
  EXPECT_EQ(document({"backup", (folder_ / "a/../copy").string()})["round"], 3);
  const std::vector<FakeSkepd::Request> requests = skepd.take_requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/api/v1/round/aggregate");
  EXPECT_EQ(json::parse(requests[0].body), json({{"force", true}}));
  EXPECT_EQ(json::parse(requests[1].body), json({{"force", false}}));
  EXPECT_EQ(requests[2].target, "/api/v1/model/rollback");
  EXPECT_EQ(json::parse(requests[2].body), json({{"to_version", 1}}));
  EXPECT_EQ(requests[3].target, "/api/v1/backup");
  EXPECT_EQ(json::parse(requests[3].body), json({{"file", (folder_ / "copy").string()}}));
}

TEST_F(Skepctl, RoundStatusIsOneDocumentOfThreeAnswers) {
  FakeSkepd skepd(directory_ / "skepd.sock");
  skepd.answer(200, R"({"round":1,"deadline_in_s":null,"patches":7})");
  const json status = document({"round", "status"});
  EXPECT_EQ(status["round"], 1);
  EXPECT_TRUE(status.contains("rounds"));
  EXPECT_EQ(status["downloads"]["patches"], 7);
  EXPECT_TRUE(status["downloads"]["packages"].is_null());
  const std::vector<FakeSkepd::Request> requests = skepd.take_requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].target, "/api/v1/round");
  EXPECT_EQ(requests[1].target, "/api/v1/rounds");
  EXPECT_EQ(requests[2].target, "/api/v1/stats");
}

TEST_F(Skepctl, SkepdsRefusalIsPassedOn) {
  FakeSkepd skepd(directory_ / "skepd.sock");
  skepd.answer(409, R"({"error":{"code":"kStaleVersion","detail":"version 1 is older"}})");
  const json error = failure({"model", "rollback", "--to", "1"});
  EXPECT_EQ(error["code"], "kStaleVersion");
  EXPECT_EQ(error["detail"], "version 1 is older");
  skepd.answer(500, "{}");
  EXPECT_EQ(failure({"round", "aggregate"})["code"], "kRejected");
  skepd.answer(500, R"({"error":{"code":5,"detail":[]}})");
  EXPECT_EQ(failure({"round", "aggregate"})["code"], "kRejected");
  skepd.answer(200, "<html>");
  EXPECT_EQ(failure({"round", "status"})["code"], "kMalformed");
}

TEST_F(Skepctl, OnlyAVerifiedModelIsImported) {
  const fs::path out = folder_ / "export";
  ASSERT_EQ(here({"model", "export", "--out", out.string()}).exit_code, 0);
  const std::string key = (directory_ / "signing.pub").string();
  const std::string package = read_text(out / "model.skep");
  FakeSkepd skepd(directory_ / "skepd.sock");
  skepd.answer(200, R"({"version":2})");
  EXPECT_EQ(document({"model", "import", out.string(), "--key", key})["version"], 2);
  EXPECT_EQ(document({"model", "import", (out / "model.skep").string(), "--key", key,
                      "--force"})["version"],
            2);
  std::vector<FakeSkepd::Request> requests = skepd.take_requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].target, "/api/v1/model/import?force=0");
  EXPECT_EQ(requests[0].body, package);
  EXPECT_EQ(requests[1].target, "/api/v1/model/import?force=1");

  std::string altered = package;
  altered.back() = static_cast<char>(altered.back() ^ 1);
  write_text(out / "model.skep", altered);
  EXPECT_EQ(failure({"model", "import", (out / "model.skep").string(), "--key", key})["code"],
            "kBadDigest");
  EXPECT_TRUE(skepd.take_requests().empty());
}

// ---- the command line

TEST_F(Skepctl, UsageErrorsAreErrorsInBothFormats) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"fly"},
                                             {"device"},
                                             {"device", "add"},
                                             {"model", "show", "x"},
                                             {"device", "list", "more"},
                                             {"model", "rollback", "--to", "-1"},
                                             {"--bogus"}}) {
    EXPECT_EQ(failure(arguments)["code"], "kInvalidArgument");
    EXPECT_EQ(here(arguments).exit_code, 2);
  }
  EXPECT_EQ(run({"device", "list", "--format", "xml"}).exit_code, 2);
  EXPECT_EQ(run({"--help"}).exit_code, 0);
}

TEST_F(Skepctl, ADirectoryThatIsNoneIsSaid) {
  const CommandResult result = run({"--dir", folder_.path().string(), "device", "list"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("skepctl init"), std::string::npos) << result.err;
}

TEST_F(Skepctl, TheDirectoryMayComeFromTheEnvironment) {
  ::setenv("SKEP_DIR", directory_.c_str(), 1);
  const CommandResult result = run({"device", "list"});
  ::unsetenv("SKEP_DIR");
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Skepctl, ABrokenConfigurationIsNamedByLine) {
  write_text(directory_ / "skepd.toml", "[admin]\nsocket = \n");
  EXPECT_NE(failure({"device", "list"})["detail"].get<std::string>().find("line 2"),
            std::string::npos);
  write_text(directory_ / "skepd.toml", "[admin]\nsocket = 5\n");
  EXPECT_NE(failure({"device", "list"})["detail"].get<std::string>().find("admin.socket"),
            std::string::npos);
}

}  // namespace
}  // namespace skep::skepctl
