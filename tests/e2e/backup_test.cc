// Backups of the running skepd, and what devices see when it goes on with one; and a device that is
// forgotten.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "skep/seal/crypto.h"
#include "skep/wire/resources.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"
#include "support/watched_device.h"

namespace skep::e2e {
namespace {

using nlohmann::json;
using round::EventKind;

constexpr std::uint32_t kSeed = 31;

class BackupTest : public testing::Test {
 protected:
  BackupTest() { EXPECT_EQ(seal::initialize_crypto(), Status::kOk); }

  /// What the disk took: nothing of the database is left.
  void lose_database() {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(gateway_.database().string() + suffix);
    }
  }
  [[nodiscard]] std::string error_of(const process::Command& command) const {
    const process::Output output = gateway_.try_operate(command);
    EXPECT_EQ(output.exit_code, 1);
    return json::parse(output.out).at("error").at("code");
  }

  Gateway gateway_;
};

TEST_F(BackupTest, ARestoredGatewayGoesOnWithTheSameDevices) {
  WatchedDevice bee(gateway_.enrol("bee"), made_up_digits(60, kSeed), kSeed);
  gateway_.start();
  ASSERT_TRUE(bee.run_until_update_on(1)) << gateway_.log();
  const std::string file = gateway_.directory() / "copy";
  const json made = gateway_.operate({"backup", file});  // with bee's update pending
  EXPECT_EQ(made.at("model_version"), 1);
  EXPECT_EQ(made.at("round"), 1);
  const json checked = gateway_.operate({"backup", "--check", file});
  EXPECT_EQ(checked.at("whole"), true);
  EXPECT_EQ(checked.at("audit_number"), made.at("audit_number"));
  EXPECT_EQ(error_of({"backup", file}), "kInvalidArgument") << "never overwritten";

  // After the backup: two more versions, which the device installs.
  gateway_.finish_round();
  ASSERT_TRUE(bee.run_until_update_on(2));
  gateway_.finish_round();
  ASSERT_TRUE(bee.run_until_update_on(3));
  const json lost = gateway_.operate({"model", "show", "1"});
  EXPECT_EQ(error_of({"restore", file}), "kBusy") << "skepd runs";
  gateway_.stop();  // Tells the device, which would ask again much later.
  EXPECT_EQ(error_of({"restore", file}), "kInvalidArgument") << "there is a database";
  lose_database();
  EXPECT_EQ(gateway_.operate({"restore", file}).at("from").at("model_version"), 1);

  // Killed before it can have said that it is ready, or just then: what was begun is done once.
  gateway_.start();
  gateway_.kill();
  gateway_.start();
  const json served = gateway_.operate({"model", "show"});
  const auto version = served.at("model_version").get<std::uint32_t>();
  EXPECT_GT(version, 3U);
  EXPECT_EQ(served.at("rolls_back_to"), 1);
  EXPECT_EQ(served.at("weights_sha256"), lost.at("weights_sha256"));
  EXPECT_EQ(gateway_.operate({"model", "list"}).at("models").size(), 2U);
  // What it had sent before does not count, and what it sends for the new round does.
  EXPECT_EQ(gateway_.operate({"round", "status"}).at("received"), 0);
  ASSERT_TRUE(bee.run_until_update_on(version)) << gateway_.log();
  EXPECT_EQ(bee.model_version(), version);
  EXPECT_EQ(bee.count(EventKind::kModelRefused), 0U);
  gateway_.finish_round();
  EXPECT_EQ(gateway_.operate({"model", "show"}).at("contributor_count"), 1);
  EXPECT_EQ(gateway_.operate({"model", "show"}).at("model_version"), version + 1);
  EXPECT_EQ(gateway_.operate({"audit", "verify"}).at("verified"), true);
}

TEST_F(BackupTest, AnAlteredBackupIsRefused) {
  gateway_.start();
  const std::string file = gateway_.directory() / "copy";
  (void)gateway_.operate({"backup", file});
  gateway_.kill();
  lose_database();
  // One letter of a record of the audit log.
  std::string bytes = process::read_text(file);
  const std::size_t at = bytes.find("skepd.toml sha256 ");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'S';
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  EXPECT_EQ(error_of({"backup", "--check", file}), "kBadDigest");
  EXPECT_EQ(error_of({"restore", file}), "kBadDigest");
  EXPECT_FALSE(std::filesystem::exists(gateway_.database()));
  EXPECT_EQ(error_of({"restore", gateway_.directory() / "skepd.toml"}), "kStorageFailed");
}

TEST_F(BackupTest, AForgottenDeviceIsGoneFromDiskAndShutOut) {
  const auto bee = gateway_.enrol("bee");
  const auto wasp = gateway_.enrol("wasp");
  gateway_.start();
  TestClient client(bee);
  ASSERT_TRUE(client.connect());
  const Buffer update = make_update(fetch_task(client), bee, 1);
  EXPECT_EQ(code_text(client.upload(update).code), "2.04");
  const auto is_on_disk = [&](const Buffer& bytes) {
    return std::ranges::any_of(std::filesystem::directory_iterator(gateway_.directory()),
                               [&](const auto& entry) {
                                 if (!entry.is_regular_file()) return false;
                                 const std::string content = process::read_text(entry.path());
                                 return std::ranges::search(content, bytes, {}, [](char c) {
                                          return static_cast<std::uint8_t>(c);
                                        }).begin() != content.end();
                               });
  };
  const Buffer middle(update.begin() + update.size() / 2, update.begin() + update.size() / 2 + 40);
  const Buffer key(bee.device_certificate.bytes,
                   bee.device_certificate.bytes + bee.device_certificate.size);
  EXPECT_TRUE(is_on_disk(middle));
  EXPECT_TRUE(is_on_disk(key));

  EXPECT_EQ(gateway_.operate({"device", "forget", "bee"}).at("forgotten"), true);
  EXPECT_FALSE(is_on_disk(middle));
  EXPECT_FALSE(is_on_disk(key));
  EXPECT_FALSE(std::filesystem::exists(gateway_.directory() / "devices/bee.cred"));
  for (int i = 0; i < 1200 && !client.is_lost(); ++i) client.poll(50);
  EXPECT_TRUE(client.was_closed_by_gateway());
  TestClient again(bee);
  EXPECT_FALSE(again.connect());
  EXPECT_EQ(gateway_.operate({"round", "status"}).at("received"), 0);
  EXPECT_EQ(error_of({"device", "status", "bee"}), "kNotFound");
  EXPECT_EQ(error_of({"device", "forget", "bee"}), "kNotFound");
  EXPECT_EQ(
      gateway_.operate({"device", "crl", "--out", gateway_.directory() / "crl"}).at("certificates"),
      1);

  TestClient other(wasp);
  ASSERT_TRUE(other.connect());
  EXPECT_EQ(code_text(other.upload(make_update(fetch_task(other), wasp, 2)).code), "2.04");
  EXPECT_EQ(gateway_.operate({"audit", "verify"}).at("verified"), true);
}

}  // namespace
}  // namespace skep::e2e
