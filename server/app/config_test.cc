#include "config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "skep/pki_testing/temporary_directory.h"

namespace skep::app {
namespace {

using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  Config load(const std::string& text) {
    std::ofstream(path()) << text;
    return load_config(path());
  }

  std::string error_of(const std::string& text) {
    try {
      (void)load(text);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  }

  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "skepd.toml"; }

  pki_testing::TemporaryDirectory directory_;
};

TEST_F(ConfigTest, EmptyFileHasDefaultsBesideIt) {
  const Config config = load("");
  EXPECT_EQ(config.listen, "127.0.0.1");
  EXPECT_EQ(config.port, 5684);
  EXPECT_EQ(config.database, directory_.path() / "skep.db");
  EXPECT_EQ(config.admin_socket, directory_.path() / "skepd.sock");
  EXPECT_TRUE(config.round.hold_out.empty());
  EXPECT_EQ(config.round.compression, CompressionMode::kTopK);
  EXPECT_EQ(config.round.momentum_q15, 0U);
  EXPECT_FALSE(config.enrolment);
}

TEST_F(ConfigTest, ReadsEveryKey) {
  const Config config = load(R"(
[coap]
listen = "::1"
port = 0
[store]
database = "a.db"
[admin]
socket = "/run/x.sock"
[keys]
passphrase_file = "../secret"
[log]
level = "debug"
file = "skepd.log"
[round]
quorum = 3
deadline_s = 4
minimum_updates = 2
max_rounds = 5
learning_rate_mantissa = 6
learning_rate_shift = 7
local_epochs = 8
max_local_steps = 9
clip_norm = 1.5
compression = "eden"
keep_permille = 10
value_bits = 11
momentum = 0.875
proximal_mu = 0.25
[evaluation]
holdout = "h.csv"
max_accuracy_drop_permille = 12
[release]
step_bits = 14
patch_depth = 15
[intake]
workers = 13
[enrolment]
enabled = true
certificate_days = 16
[limits]
registrations_per_minute = 16
devices_per_address = 17
requests_per_minute = 18
handshakes = 19
handshakes_per_address = 20
handshake_timeout_s = 21
sessions = 22
sessions_per_address = 23
)");
  EXPECT_EQ(config.listen, "::1");
  EXPECT_EQ(config.port, 0);
  EXPECT_EQ(config.database, directory_.path() / "a.db");
  EXPECT_EQ(config.admin_socket, "/run/x.sock");
  EXPECT_EQ(config.passphrase_file, directory_.path() / "../secret");
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_EQ(config.log_file, directory_.path() / "skepd.log");
  EXPECT_EQ(config.round.quorum, 3U);
  EXPECT_EQ(config.round.deadline_s, 4U);
  EXPECT_EQ(config.round.minimum_updates, 2U);
  EXPECT_EQ(config.round.max_rounds, 5U);
  EXPECT_EQ(config.round.learning_rate_mantissa, 6U);
  EXPECT_EQ(config.round.learning_rate_shift, 7U);
  EXPECT_EQ(config.round.local_epochs, 8U);
  EXPECT_EQ(config.round.max_local_steps, 9U);
  EXPECT_EQ(config.round.clip_norm_q16, 98304U);
  EXPECT_EQ(config.round.keep_permille, 10U);
  EXPECT_EQ(config.round.value_bits, 11U);
  EXPECT_EQ(config.round.compression, CompressionMode::kEden);
  EXPECT_EQ(config.round.momentum_q15, 28672U);
  EXPECT_EQ(config.round.proximal_mu_q16, 16384U);
  EXPECT_EQ(config.round.hold_out, directory_.path() / "h.csv");
  EXPECT_EQ(config.round.max_accuracy_drop_permille, 12U);
  EXPECT_EQ(config.round.step_bits, 14U);
  EXPECT_EQ(config.patch_depth, 15U);
  EXPECT_EQ(config.intake_workers, 13U);
  EXPECT_TRUE(config.enrolment);
  EXPECT_EQ(config.certificate_days, 16U);
  EXPECT_EQ(config.round.workers, 13U);
  EXPECT_EQ(config.limits.registrations_per_minute, 16U);
  EXPECT_EQ(config.limits.devices_per_address, 17U);
  EXPECT_EQ(config.limits.requests_per_minute, 18U);
  EXPECT_EQ(config.limits.handshakes, 19U);
  EXPECT_EQ(config.limits.handshakes_per_address, 20U);
  EXPECT_EQ(config.limits.handshake_timeout_s, 21U);
  EXPECT_EQ(config.limits.sessions, 22U);
  EXPECT_EQ(config.limits.sessions_per_address, 23U);
}

TEST_F(ConfigTest, NamesLineAndKeyOfWhatItDoesNotKnow) {
  EXPECT_THAT(error_of("[coap]\nport = 1\nprot = 2\n"),
              HasSubstr("skepd.toml:3: coap.prot is not a key"));
  EXPECT_THAT(error_of("\n[cloud]\n"), HasSubstr("skepd.toml:2: cloud is not a section"));
  EXPECT_THAT(error_of("[coap\n"), HasSubstr("skepd.toml:1"));
}

TEST_F(ConfigTest, RefusesValuesOutOfRange) {
  EXPECT_THAT(error_of("[coap]\nport = 65536\n"), HasSubstr(":2: coap.port must be an integer"));
  EXPECT_THAT(error_of("[coap]\nport = \"5684\"\n"), HasSubstr("coap.port"));
  EXPECT_THAT(error_of("[coap]\nlisten = \"localhost\"\n"), HasSubstr("coap.listen"));
  EXPECT_THAT(error_of("[keys]\npassphrase_file = \"a\"\npassphrase_credential = \"b\"\n"),
              HasSubstr(":3: keys.passphrase_credential must not stand beside passphrase_file"));
  EXPECT_EQ(load("[keys]\npassphrase_credential = \"b\"\n").passphrase_credential, "b");
  EXPECT_THAT(error_of("[log]\nlevel = \"loud\"\n"), HasSubstr("log.level"));
  EXPECT_THAT(error_of("[round]\nquorum = 0\n"), HasSubstr("round.quorum"));
  EXPECT_THAT(error_of("[round]\nquorum = 2\nminimum_updates = 3\n"), HasSubstr("round.quorum"));
  EXPECT_THAT(error_of("[round]\nminimum_updates = 21\n"), HasSubstr("round.minimum_updates"));
  for (const char* value : {"0.0", "-1.0", "nan", "inf", "65536.0", "\"8\""}) {
    EXPECT_THAT(error_of(std::string("[round]\nclip_norm = ") + value + "\n"),
                HasSubstr("round.clip_norm"))
        << value;
  }
  EXPECT_THAT(error_of("[round]\nvalue_bits = 17\n"), HasSubstr("round.value_bits"));
  EXPECT_THAT(
      error_of("[round]\ncompression = \"zip\"\n"),
      HasSubstr(":2: round.compression must be one of top-k, ternary, int8, eden, random-k"));
  EXPECT_THAT(error_of("[round]\ncompression = 1\n"), HasSubstr("round.compression"));
  for (const char* value : {"1.0", "-0.1", "nan", "\"0.9\""}) {
    EXPECT_THAT(error_of(std::string("[round]\nmomentum = ") + value + "\n"),
                HasSubstr("round.momentum"))
        << value;
  }
  EXPECT_THAT(error_of("[round]\nproximal_mu = 16.5\n"), HasSubstr("round.proximal_mu"));
  EXPECT_THAT(error_of("[release]\nstep_bits = 17\n"), HasSubstr("release.step_bits"));
  EXPECT_THAT(error_of("[release]\nstep_bits = 1\n"), HasSubstr(":2: release.step_bits must be 0"));
  EXPECT_THAT(error_of("[release]\npatch_depth = 17\n"), HasSubstr("release.patch_depth"));
  EXPECT_EQ(load("[release]\nstep_bits = 0\npatch_depth = 0\n").round.step_bits, 0U);
  EXPECT_THAT(error_of("[enrolment]\nenabled = 1\n"), HasSubstr("enrolment.enabled must be true"));
  EXPECT_THAT(error_of("[enrolment]\ncertificate_days = 0\n"), HasSubstr("certificate_days"));
  EXPECT_THAT(error_of("coap = 3\n"), HasSubstr("coap must be a table"));
  for (const char* key : {"handshakes", "handshakes_per_address", "handshake_timeout_s", "sessions",
                          "sessions_per_address"}) {
    EXPECT_THAT(error_of(std::string("[limits]\n") + key + " = 0\n"),
                HasSubstr(":2: limits." + std::string(key) + " must be an integer from 1"));
  }
  for (const char* key :
       {"registrations_per_minute", "devices_per_address", "requests_per_minute"}) {
    EXPECT_THAT(error_of(std::string("[limits]\n") + key + " = -1\n"), HasSubstr(key));
    EXPECT_EQ(error_of(std::string("[limits]\n") + key + " = 0\n"), "no error");
  }
}

TEST_F(ConfigTest, MissingFileIsNamed) {
  EXPECT_THROW((void)load_config(directory_.path() / "none.toml"), ConfigError);
}

}  // namespace
}  // namespace skep::app
