#include "skep/pki/enrolment_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "skep/pki/error.h"
#include "skep/pki/files.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

std::string text_of(const SecretBytes& secret) {
  return {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()};
}

TEST(EnrolmentKeys, AreMadeOnceAndAreSecret) {
  const pki_testing::TemporaryDirectory folder;
  const auto path = folder / "enrolment.key";
  const std::string first = text_of(EnrolmentKey::load_or_create(path).secret_of("00"));
  EXPECT_EQ(text_of(EnrolmentKey::load_or_create(path).secret_of("00")), first);
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  EXPECT_THROW(EnrolmentKey::load_or_create(path), PkiError);
}

TEST(EnrolmentKeys, OfAnotherLengthAreRefused) {
  const pki_testing::TemporaryDirectory folder;
  create_file(folder / "enrolment.key", std::vector<std::uint8_t>(31), Access::kSecret);
  EXPECT_THROW(EnrolmentKey::load_or_create(folder / "enrolment.key"), PkiError);
}

// python3: hmac.new(bytes(range(32)), b"skep enrolment token v1\0" + b"0123456789abcdef", sha256),
// each byte & 31 as a character of base32.
TEST(EnrolmentKeys, GiveTheDocumentedSecret) {
  const pki_testing::TemporaryDirectory folder;
  std::vector<std::uint8_t> key(32);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  create_file(folder / "enrolment.key", key, Access::kSecret);
  const auto loaded = EnrolmentKey::load_or_create(folder / "enrolment.key");
  EXPECT_EQ(text_of(loaded.secret_of("0123456789abcdef")), "mamkopi6rduv5yf43adnhwbxu7yrapgi");
  EXPECT_NE(text_of(loaded.secret_of("0123456789abcdee")), "mamkopi6rduv5yf43adnhwbxu7yrapgi");
}

TEST(TokenIds, AreHexadecimalAndDiffer) {
  const auto one = new_token_id();
  EXPECT_NE(one, new_token_id());
  EXPECT_TRUE(std::ranges::all_of(
      one, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }));
}

}  // namespace
}  // namespace skep::pki
