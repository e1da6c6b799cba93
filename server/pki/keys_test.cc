#include "skep/pki/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

using pki_testing::CommandResult;
using pki_testing::run;
using pki_testing::TemporaryDirectory;

bool equal(const PrivateKey& a, const PrivateKey& b) {
  return std::equal(a.scalar().begin(), a.scalar().end(), b.scalar().begin()) &&
         a.public_key() == b.public_key();
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
}

TEST(Keys, ScalarOneIsTheGenerator) {
  std::array<std::uint8_t, kScalarBytes> one{};
  one.back() = 1;
  const PrivateKey key = PrivateKey::from_scalar(one);
  // SEC 2, section 2.4.2: G of secp256r1 begins with 04 6B17D1F2, ends with 37BF51F5.
  EXPECT_EQ(key.public_key()[0], 0x04);
  EXPECT_EQ(key.public_key()[1], 0x6B);
  EXPECT_EQ(key.public_key()[4], 0xF2);
  EXPECT_EQ(key.public_key()[61], 0x37);
  EXPECT_EQ(key.public_key()[64], 0xF5);
}

TEST(Keys, ScalarsOutsideOfTheGroupAreRefused) {
  std::array<std::uint8_t, kScalarBytes> scalar{};
  EXPECT_THROW((void)PrivateKey::from_scalar(scalar), PkiError);
  scalar.fill(0xFF);
  EXPECT_THROW((void)PrivateKey::from_scalar(scalar), PkiError);
}

TEST(Keys, GeneratedKeysDifferAndSurviveTheirFile) {
  const TemporaryDirectory folder;
  const PrivateKey a = PrivateKey::generate();
  const PrivateKey b = PrivateKey::generate();
  EXPECT_FALSE(equal(a, b));
  EXPECT_TRUE(equal(a, PrivateKey::from_scalar(a.scalar())));
  a.save(folder / "a.key");
  EXPECT_TRUE(equal(a, PrivateKey::load(folder / "a.key")));
  EXPECT_THROW(b.save(folder / "a.key"), PkiError);
  EXPECT_TRUE(equal(a, PrivateKey::load(folder / "a.key")));
}

TEST(Keys, AMovedFromKeyIsWiped) {
  PrivateKey key = PrivateKey::generate();
  const PrivateKey other = std::move(key);
  EXPECT_TRUE(std::all_of(key.scalar().begin(),
                          key.scalar().end(),  // NOLINT(bugprone-use-after-move)
                          [](std::uint8_t byte) { return byte == 0; }));
  EXPECT_FALSE(std::all_of(other.scalar().begin(), other.scalar().end(),
                           [](std::uint8_t byte) { return byte == 0; }));
}

TEST(Keys, OpensslReadsOursAndSeesTheSamePublicKey) {
  const TemporaryDirectory folder;
  const PrivateKey key = PrivateKey::generate();
  key.save(folder / "a.key");
  save_public_key(folder / "a.pub", key.public_key());
  const CommandResult check =
      run({"openssl", "pkey", "-in", (folder / "a.key").string(), "-check", "-noout"});
  EXPECT_EQ(check.exit_code, 0) << check.err;
  const CommandResult derived =
      run({"openssl", "pkey", "-in", (folder / "a.key").string(), "-pubout"});
  const std::vector<std::uint8_t> ours = read_file(folder / "a.pub", 1000);
  EXPECT_EQ(derived.out, std::string(ours.begin(), ours.end()));
  EXPECT_EQ(load_public_key(folder / "a.pub"), key.public_key());
}

TEST(Keys, WeReadWhatOpensslMakes) {
  const TemporaryDirectory folder;
  const std::string path = (folder / "a.key").string();  // PKCS#8
  ASSERT_EQ(run({"openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-out", path})
                .exit_code,
            0);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const PrivateKey key = PrivateKey::load(path);
  ASSERT_EQ(run({"openssl", "pkey", "-in", path, "-pubout", "-out", (folder / "a.pub").string()})
                .exit_code,
            0);
  EXPECT_EQ(load_public_key(folder / "a.pub"), key.public_key());
}

TEST(Keys, OtherFilesAreRefusedByName) {
  const TemporaryDirectory folder;
  const PrivateKey key = PrivateKey::generate();
  key.save(folder / "private");
  save_public_key(folder / "public", key.public_key());
  ASSERT_EQ(::chmod((folder / "public").c_str(), 0600), 0);
  write_text(folder / "empty", "");
  write_text(folder / "garbage",
             "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n");
  ASSERT_EQ(run({"openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out",
                 (folder / "p384").string()})
                .exit_code,
            0);
  ASSERT_EQ(::chmod((folder / "p384").c_str(), 0600), 0);
  for (const char* name : {"public", "empty", "garbage", "p384"}) {
    try {
      (void)PrivateKey::load(folder / name);
      ADD_FAILURE() << name;
    } catch (const PkiError& error) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW((void)load_public_key(folder / "private"), PkiError);
  EXPECT_THROW((void)load_public_key(folder / "garbage"), PkiError);
}

TEST(Keys, AKeyThatOthersMayReadIsRefused) {
  const TemporaryDirectory folder;
  PrivateKey::generate().save(folder / "a.key");
  ASSERT_EQ(::chmod((folder / "a.key").c_str(), 0644), 0);
  EXPECT_THROW((void)PrivateKey::load(folder / "a.key"), PkiError);
}

TEST(Keys, APointOffTheCurveIsNotSaved) {
  const TemporaryDirectory folder;
  PublicKey key = PrivateKey::generate().public_key();
  key[64] ^= 1U;
  EXPECT_THROW(save_public_key(folder / "a.pub", key), PkiError);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.pub"));
}

}  // namespace
}  // namespace skep::pki
