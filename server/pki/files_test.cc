#include "skep/pki/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

using pki_testing::TemporaryDirectory;

Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777U;
}

std::size_t entries_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

template <typename Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const PkiError& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Files, ModesDoNotDependOnTheUmask) {
  const TemporaryDirectory folder;
  for (const mode_t mask : {mode_t{0}, mode_t{0777}, mode_t{022}}) {
    const std::string suffix = std::to_string(mask);
    const mode_t before = ::umask(mask);
    create_file(folder / ("secret" + suffix), as_bytes("s"), Access::kSecret);
    create_file(folder / ("public" + suffix), as_bytes("p"), Access::kPublic);
    ::umask(before);
    EXPECT_EQ(mode_of(folder / ("secret" + suffix)), 0600U);
    EXPECT_EQ(mode_of(folder / ("public" + suffix)), 0644U);
  }
}

TEST(Files, CreateNeverOverwritesAndLeavesNothingElseBehind) {
  const TemporaryDirectory folder;
  create_file(folder / "a", as_bytes("first"), Access::kSecret);
  EXPECT_NE(message_of([&] {
              create_file(folder / "a", as_bytes("x"), Access::kSecret);
            }).find("not overwritten"),
            std::string::npos);
  EXPECT_EQ(read_file(folder / "a", 100), std::vector<std::uint8_t>({'f', 'i', 'r', 's', 't'}));
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

TEST(Files, AFileInProgressGetsItsNameAtTheEndOrIsGone) {
  const TemporaryDirectory folder;
  {
    const FileInProgress given_up(folder / "a");
    EXPECT_EQ(entries_in(folder.path()), 1U);
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  }
  EXPECT_EQ(entries_in(folder.path()), 0U);
  FileInProgress file(folder / "a");
  FileInProgress late(folder / "a");
  EXPECT_EQ(mode_of(file.temporary()), 0600U);
  file.publish();
  EXPECT_EQ(mode_of(folder / "a"), 0600U);
  EXPECT_NE(message_of([&] { late.publish(); }).find("not overwritten"), std::string::npos);
  EXPECT_NE(message_of([&] { const FileInProgress again(folder / "a"); }).find("not overwritten"),
            std::string::npos);
}

TEST(Files, CreateDoesNotFollowASymbolicLink) {
  const TemporaryDirectory folder;
  std::filesystem::create_symlink(folder / "target", folder / "link");
  EXPECT_THROW(create_file(folder / "link", as_bytes("x"), Access::kSecret), PkiError);
  EXPECT_FALSE(std::filesystem::exists(folder / "target"));
}

TEST(Files, CreateInAMissingDirectoryNamesThePath) {
  const TemporaryDirectory folder;
  const std::string message =
      message_of([&] { create_file(folder / "none/a", as_bytes("x"), Access::kSecret); });
  EXPECT_NE(message.find("none/a"), std::string::npos) << message;
  EXPECT_NE(message.find("No such file"), std::string::npos) << message;
}

TEST(Files, ReplaceKeepsNothingOfTheOldContent) {
  const TemporaryDirectory folder;
  replace_file(folder / "a", as_bytes("a long first content"), Access::kPublic);
  replace_file(folder / "a", as_bytes("b"), Access::kSecret);
  EXPECT_EQ(read_file(folder / "a", 100), std::vector<std::uint8_t>({'b'}));
  EXPECT_EQ(mode_of(folder / "a"), 0600U);
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

TEST(Files, EveryPermissionOfGroupOrOthersIsRefused) {
  const TemporaryDirectory folder;
  create_file(folder / "key", as_bytes("k"), Access::kSecret);
  for (const unsigned bit : {1U, 2U, 4U, 8U, 16U, 32U}) {
    ASSERT_EQ(::chmod((folder / "key").c_str(), 0600U | bit), 0);
    const std::string message = message_of([&] { (void)read_secret_file(folder / "key", 100); });
    EXPECT_NE(message.find("expected 0600"), std::string::npos) << message;
    EXPECT_NE(message.find("key"), std::string::npos);
  }
  ASSERT_EQ(::chmod((folder / "key").c_str(), 0400), 0);
  EXPECT_EQ(read_secret_file(folder / "key", 100).size(), 1U);
}

TEST(Files, ASecretOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const TemporaryDirectory folder;
  create_file(folder / "key", as_bytes("k"), Access::kSecret);
  ASSERT_EQ(::chown((folder / "key").c_str(), 12345, 12345), 0);
  EXPECT_NE(message_of([&] { (void)read_secret_file(folder / "key", 100); }).find("12345"),
            std::string::npos);
}

TEST(Files, ReadingHasABound) {
  const TemporaryDirectory folder;
  create_file(folder / "a", as_bytes("12345"), Access::kSecret);
  EXPECT_EQ(read_file(folder / "a", 5).size(), 5U);
  EXPECT_THROW((void)read_file(folder / "a", 4), PkiError);
  EXPECT_THROW((void)read_secret_file(folder / "a", 4), PkiError);
}

TEST(Files, OnlyRegularFilesAreRead) {
  const TemporaryDirectory folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THROW((void)read_file(folder / "fifo", 10), PkiError);
  EXPECT_THROW((void)read_file(folder.path(), 10), PkiError);
  EXPECT_THROW((void)read_file(folder / "missing", 10), PkiError);
}

TEST(Files, PrivateDirectoryIsNewOrEmpty) {
  const TemporaryDirectory folder;
  create_private_directory(folder / "new");
  EXPECT_EQ(mode_of(folder / "new"), 0700U);
  ASSERT_EQ(::chmod((folder / "new").c_str(), 0755), 0);
  create_private_directory(folder / "new");
  EXPECT_EQ(mode_of(folder / "new"), 0700U);
  create_file(folder / "new/file", as_bytes("x"), Access::kPublic);
  EXPECT_THROW(create_private_directory(folder / "new"), PkiError);
  EXPECT_THROW(create_private_directory(folder / "new/file"), PkiError);
  EXPECT_THROW(create_private_directory(folder / "no/parent"), PkiError);
}

}  // namespace
}  // namespace skep::pki
