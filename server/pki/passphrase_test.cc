// Passphrases from files and credentials, and the private keys that are encrypted with them.
#include "skep/pki/passphrase.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "skep/pki/error.h"
#include "skep/pki/federation.h"
#include "skep/pki/keys.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

constexpr const char* kText = "correct horse battery staple";
constexpr const char* kOtherText = "another horse battery staple";

class PassphraseTest : public testing::Test {
 protected:
  PassphraseTest() { create_keys(paths_, {1}, {.ip_addresses = {"127.0.0.1"}, .dns_names = {}}); }

  [[nodiscard]] std::filesystem::path write(const std::string& text, mode_t mode = 0600) const {
    const std::filesystem::path path = folder_ / "passphrase";
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  [[nodiscard]] Passphrase passphrase(const std::string& text) const {
    return Passphrase::from_file(write(text));
  }
  [[nodiscard]] FederationPaths with(const std::string& text) const {
    return {paths_.root, std::make_shared<const Passphrase>(passphrase(text))};
  }
  template <typename Function>
  static std::string message_of(Function function) {
    try {
      function();
    } catch (const PkiError& error) {
      return error.what();
    }
    return "(no error)";
  }
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  pki_testing::TemporaryDirectory folder_;
  const FederationPaths paths_{folder_.path()};
};

TEST_F(PassphraseTest, IsTheFilesTextWithoutItsNewline) {
  const Passphrase read = passphrase(std::string(kText) + "\n");
  EXPECT_TRUE(std::ranges::equal(read.bytes(), std::string(kText)));
  EXPECT_NE(message_of([&] { (void)passphrase("too short\n"); }).find("expected 20 to 1023"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (void)passphrase(std::string(1024, 'x')); }).find("expected 20"),
            std::string::npos);
  for (const mode_t mode : {0640U, 0604U}) {
    EXPECT_NE(message_of([&] { (void)Passphrase::from_file(write(kText, mode)); }).find("has mode"),
              std::string::npos);
  }
}

TEST_F(PassphraseTest, ComesFromACredential) {
  (void)write(kText, 0440);  // As systemd shows it.
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_NE(message_of([] {
              (void)Passphrase::from_credential("passphrase");
            }).find("$CREDENTIALS_DIRECTORY"),
            std::string::npos);
  ::setenv("CREDENTIALS_DIRECTORY", folder_.path().c_str(), 1);
  EXPECT_TRUE(
      std::ranges::equal(Passphrase::from_credential("passphrase").bytes(), std::string(kText)));
  EXPECT_THROW((void)Passphrase::from_credential("none"), PkiError);
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(PassphraseTest, KeysAreReadWithItOnly) {
  const auto scalar = [](const PrivateKey& key) {
    return std::string(key.scalar().begin(), key.scalar().end());
  };
  const std::string before = scalar(PrivateKey::load(paths_.signing_key()));
  EXPECT_EQ(encrypt_keys(paths_, passphrase(kText)),
            (std::vector<std::string>{"ca.key", "gateway.key", "signing.key", "aggregation.key"}));
  const FederationPaths paths = with(kText);
  EXPECT_EQ(scalar(PrivateKey::load(paths_.signing_key(), paths.passphrase.get())), before);
  EXPECT_NE(message_of([&] {
              (void)PrivateKey::load(paths_.signing_key());
            }).find("no passphrase is configured"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              (void)PrivateKey::load(paths_.signing_key(), with(kOtherText).passphrase.get());
            }).find("is not that of this key"),
            std::string::npos);
  // OpenSSL agrees about what it is and how it opens.
  (void)write(kText);
  const auto openssl =
      pki_testing::run({"openssl", "pkey", "-in", paths_.signing_key().string(), "-passin",
                        "file:" + (folder_ / "passphrase").string(), "-check", "-noout"});
  EXPECT_EQ(openssl.exit_code, 0) << openssl.out;
  EXPECT_NE(read(paths_.signing_key()).find("ENCRYPTED PRIVATE KEY"), std::string::npos);
}

TEST_F(PassphraseTest, AnotherPassphraseReplacesIt) {
  (void)encrypt_keys(paths_, passphrase(kText));
  const std::string before = read(paths_.ca_key());
  // Not without the present one; and nothing has changed then.
  EXPECT_THROW((void)encrypt_keys(paths_, passphrase(kOtherText)), PkiError);
  EXPECT_EQ(read(paths_.ca_key()), before);
  // A crash has left one key under the new one, and another elsewhere.
  std::filesystem::rename(paths_.ca_key(), folder_ / "elsewhere");
  const FederationPaths paths = with(kText);
  std::filesystem::copy(paths_.signing_key(), folder_ / "old");
  (void)encrypt_keys(paths, passphrase(kOtherText));
  std::filesystem::rename(folder_ / "old", paths_.signing_key());
  EXPECT_EQ(encrypt_keys(paths, passphrase(kOtherText)).size(), 3U);
  for (const auto& path : {paths_.gateway_key(), paths_.signing_key(), paths_.aggregation_key()}) {
    EXPECT_NO_THROW((void)PrivateKey::load(path, with(kOtherText).passphrase.get())) << path;
  }
}

}  // namespace
}  // namespace skep::pki
