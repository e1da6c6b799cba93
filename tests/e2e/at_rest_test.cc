// What is on the disk of the running skepd when its keys are encrypted, and what a damaged disk
// does.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "skep/pki/keys.h"
#include "skep/seal/crypto.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"

namespace skep::e2e {
namespace {

class AtRest : public testing::Test {
 protected:
  AtRest() { EXPECT_EQ(seal::initialize_crypto(), Status::kOk); }

  [[nodiscard]] std::filesystem::path passphrase_file() const {
    return gateway_.directory().parent_path() / "passphrase";
  }
  void write_passphrase(const std::string& text) const {
    std::ofstream(passphrase_file()) << text;
    ASSERT_EQ(::chmod(passphrase_file().c_str(), 0600), 0);
  }
  void configure() const {
    const std::filesystem::path path = gateway_.directory() / "skepd.toml";
    std::string text = process::read_text(path);
    const std::string key = "passphrase_file = ";
    const std::size_t at = text.find(key);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, text.find('\n', at) - at, key + "\"../passphrase\"");
    std::ofstream(path, std::ios::trunc) << text;
  }
  /// In any file of the federation, the database's log among them.
  [[nodiscard]] bool is_on_disk(const std::string& bytes) const {
    return std::ranges::any_of(std::filesystem::recursive_directory_iterator(gateway_.directory()),
                               [&](const auto& entry) {
                                 return entry.is_regular_file() &&
                                        process::read_text(entry.path()).find(bytes) !=
                                            std::string::npos;
                               });
  }
  /// Line 2 of a PEM file: base64 of the key, which a plain file begins with.
  [[nodiscard]] std::string second_line_of(const std::string& file) const {
    const std::string text = process::read_text(gateway_.directory() / file);
    const std::size_t begin = text.find('\n') + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  Gateway gateway_;
};

TEST_F(AtRest, WithAPassphraseNeitherKeysNorUpdatesCanBeReadOnDisk) {
  const auto bee = gateway_.enrol("bee");
  const std::vector<std::string> files = {"ca.key", "gateway.key", "signing.key",
                                          "aggregation.key"};
  std::vector<std::string> plain;
  for (const std::string& file : files) {
    plain.push_back(second_line_of(file));
    const pki::PrivateKey key = pki::PrivateKey::load(gateway_.directory() / file);
    plain.emplace_back(key.scalar().begin(), key.scalar().end());
    EXPECT_TRUE(is_on_disk(second_line_of(file)));
  }
  write_passphrase("correct horse battery staple");
  EXPECT_EQ(
      gateway_.operate({"keys", "encrypt", "--passphrase-file", passphrase_file()}).at("encrypted"),
      files);
  EXPECT_THROW(gateway_.start(), std::exception) << "it has no passphrase yet";
  configure();
  write_passphrase("another horse battery staple");
  EXPECT_THROW(gateway_.start(), std::exception) << "it is another one";
  write_passphrase("correct horse battery staple");
  gateway_.start();
  const auto wasp = gateway_.enrol("wasp");  // ca.key opens for skepctl, too.
  EXPECT_EQ(
      gateway_.try_operate({"keys", "encrypt", "--passphrase-file", passphrase_file()}).exit_code,
      1)
      << "skepd runs";

  for (const auto& credentials : {bee, wasp}) {
    TestClient client(credentials);
    ASSERT_TRUE(client.connect());
    const Task task = fetch_task(client);
    EXPECT_EQ(code_text(client.upload(make_update(task, credentials, 1)).code), "2.04");
  }
  for (const std::string& bytes : plain) EXPECT_FALSE(is_on_disk(bytes));
  gateway_.kill();
  gateway_.start();
  gateway_.finish_round();
  EXPECT_EQ(gateway_.operate({"model", "show"}).at("contributor_count"), 2);
  EXPECT_EQ(gateway_.operate({"audit", "verify"}).at("verified"), true);
}

TEST_F(AtRest, ADamagedUpdateIsNamedAndTheRoundGoesOnWithoutIt) {
  const auto bee = gateway_.enrol("bee");
  const auto wasp = gateway_.enrol("wasp");
  gateway_.start();
  for (const auto& credentials : {bee, wasp}) {
    TestClient client(credentials);
    ASSERT_TRUE(client.connect());
    const Task task = fetch_task(client);
    EXPECT_EQ(code_text(client.upload(make_update(task, credentials, 1)).code), "2.04");
  }
  // wasp's bytes in bee's row: whole, but not bee's.
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(gateway_.database().c_str(), &database), SQLITE_OK);
  EXPECT_EQ(
      sqlite3_exec(database,
                   "UPDATE updates SET (digest, sealed) = (SELECT digest, sealed FROM updates "
                   "WHERE device = 'wasp') WHERE device = 'bee'",
                   nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(database);
  gateway_.finish_round();
  EXPECT_EQ(gateway_.operate({"model", "show"}).at("contributor_count"), 1);
  EXPECT_NE(gateway_.log().find("update of bee is left out"), std::string::npos) << gateway_.log();
}

}  // namespace
}  // namespace skep::e2e
