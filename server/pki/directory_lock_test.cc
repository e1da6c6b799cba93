#include "skep/pki/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

class DirectoryLockTest : public testing::Test {
 protected:
  pki_testing::TemporaryDirectory folder_;
  std::filesystem::path directory_ = folder_.path();
};

TEST_F(DirectoryLockTest, RefusesASecondHolderAndNamesTheDirectory) {
  const DirectoryLock first(directory_);
  try {
    const DirectoryLock second(directory_);
    FAIL() << "two locks on one directory";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("another skepd"),
                                             testing::HasSubstr(directory_.string())));
  }
}

TEST_F(DirectoryLockTest, IsFreeAgainAfterItsHolder) {
  { const DirectoryLock first(directory_); }
  EXPECT_NO_THROW(DirectoryLock{directory_});
}

TEST_F(DirectoryLockTest, IsFreeAgainAfterItsHolderWasKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    const DirectoryLock held(directory_);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "skepd.lock"));
  EXPECT_NO_THROW(DirectoryLock{directory_});
}

TEST_F(DirectoryLockTest, MissingDirectoryIsAnError) {
  EXPECT_THROW(DirectoryLock{directory_ / "absent"}, std::system_error);
}

}  // namespace
}  // namespace skep::pki
