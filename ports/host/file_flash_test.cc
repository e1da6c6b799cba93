#include "skep/port_host/file_flash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "skep/core/record_log.h"
#include "temporary_folder.h"

namespace skep::port_host {
namespace {

using test::error_of;
using test::TemporaryFolder;
using testing::Each;
using testing::HasSubstr;
using Buffer = std::vector<std::uint8_t>;

constexpr FlashGeometry kGeometry{16 * 1024, 1024, 8};

Buffer read_all(FileFlash& flash) {
  Buffer cells(flash.geometry().size_bytes);
  EXPECT_EQ(flash.read(0, cells), Status::kOk);
  return cells;
}

TEST(FileFlash, IsCreatedErasedAndPrivate) {
  const TemporaryFolder folder;
  FileFlash flash(folder.file("flash"), kGeometry);
  EXPECT_THAT(read_all(flash), Each(0xFF));
  EXPECT_EQ(flash.geometry().size_bytes, kGeometry.size_bytes);
  EXPECT_EQ(flash.geometry().erase_unit_bytes, kGeometry.erase_unit_bytes);
  EXPECT_EQ(flash.geometry().program_unit_bytes, kGeometry.program_unit_bytes);
  struct stat info {};
  ASSERT_EQ(stat(folder.file("flash").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.file("")), {}), 1)
      << "no temporary file is left";
}

TEST(FileFlash, ProgramsClearBitsAndOnlyErasesSetThem) {
  const TemporaryFolder folder;
  FileFlash flash(folder.file("flash"), kGeometry);
  ASSERT_EQ(flash.program(1024, Buffer(16, 0xF0)), Status::kOk);
  ASSERT_EQ(flash.program(1024, Buffer(8, 0x3C)), Status::kOk);
  Buffer cells(24);
  ASSERT_EQ(flash.read(1024, cells), Status::kOk);
  EXPECT_EQ(cells[0], 0x30);
  EXPECT_EQ(cells[15], 0xF0);
  EXPECT_EQ(cells[16], 0xFF);
  ASSERT_EQ(flash.erase(1024, 1024), Status::kOk);
  EXPECT_THAT(read_all(flash), Each(0xFF));
}

TEST(FileFlash, RefusesWhatAFlashWouldRefuse) {
  const TemporaryFolder folder;
  FileFlash flash(folder.file("flash"), kGeometry);
  Buffer bytes(16);
  EXPECT_EQ(flash.program(4, bytes), Status::kInvalidArgument);
  EXPECT_EQ(flash.program(0, Buffer(9)), Status::kInvalidArgument);
  EXPECT_EQ(flash.program(16 * 1024 - 8, bytes), Status::kInvalidArgument);
  EXPECT_EQ(flash.program(0xFFFFFFF8, bytes), Status::kInvalidArgument);
  EXPECT_EQ(flash.erase(512, 1024), Status::kInvalidArgument);
  EXPECT_EQ(flash.erase(0, 1000), Status::kInvalidArgument);
  EXPECT_EQ(flash.erase(15 * 1024, 2048), Status::kInvalidArgument);
  EXPECT_EQ(flash.read(16 * 1024 - 15, bytes), Status::kInvalidArgument);
  EXPECT_THAT(read_all(flash), Each(0xFF));
}

TEST(FileFlash, PersistsAcrossProcesses) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    FileFlash flash(folder.file("flash"), kGeometry);
    const bool is_done =
        flash.program(2048, Buffer(8, 0x42)) == Status::kOk && flash.sync() == Status::kOk;
    _exit(is_done ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  FileFlash flash(folder.file("flash"), kGeometry);
  Buffer cells(8);
  ASSERT_EQ(flash.read(2048, cells), Status::kOk);
  EXPECT_EQ(cells, Buffer(8, 0x42));
}

// A process that writes as fast as it can is killed; every value that it reported on the pipe,
// which it does after put() returned, must be there.
TEST(FileFlash, KillNineLosesNothingThatWasAcknowledged) {
  const TemporaryFolder folder;
  const std::string path = folder.file("flash");
  const LogRegion region{1024, 1024, 2};
  std::uint32_t last = 0;
  for (unsigned life = 0; life < 40; ++life) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      FileFlash flash(path, kGeometry);
      RecordLog log(flash);
      if (log.open(region) != Status::kOk) _exit(1);
      for (std::uint32_t value = last + 1;; ++value) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
        if (log.put(2, {bytes, sizeof(value)}) != Status::kOk) _exit(2);
        if (write(ends[1], &value, sizeof(value)) != sizeof(value)) _exit(3);
      }
    }
    close(ends[1]);
    std::uint32_t acknowledged = last;
    for (unsigned i = 0; i < 1 + life % 7 * 5; ++i) {
      ASSERT_EQ(read(ends[0], &acknowledged, sizeof(acknowledged)), ssize_t{4});
    }
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    while (read(ends[0], &acknowledged, sizeof(acknowledged)) == ssize_t{4}) {
    }
    close(ends[0]);

    FileFlash flash(path, kGeometry);
    RecordLog log(flash);
    ASSERT_EQ(log.open(region), Status::kOk);
    Buffer value(4);
    ASSERT_EQ(*log.get(2, value), 4U);
    std::copy(value.begin(), value.end(), reinterpret_cast<std::uint8_t*>(&last));
    ASSERT_TRUE(last == acknowledged || last == acknowledged + 1) << last << " " << acknowledged;
  }
}

TEST(FileFlash, RefusesAFileOfAnotherGeometry) {
  const TemporaryFolder folder;
  { const FileFlash flash(folder.file("flash"), kGeometry); }
  for (const FlashGeometry& other :
       {FlashGeometry{32 * 1024, 1024, 8}, FlashGeometry{16 * 1024, 2048, 8},
        FlashGeometry{16 * 1024, 1024, 4}}) {
    EXPECT_THAT(error_of([&] { const FileFlash flash(folder.file("flash"), other); }),
                HasSubstr("has 16384 B in erase units of 1024 B and program units of 8 B, not"));
  }
  const FileFlash flash(folder.file("flash"), kGeometry);
}

TEST(FileFlash, RefusesWhatIsNotOneOfOurs) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& path) {
    return error_of([&] { const FileFlash flash(path, kGeometry); });
  };
  EXPECT_THAT(error(folder.write("text", std::string(30'000, 'x'))), HasSubstr("is not a skep"));
  EXPECT_THAT(error(folder.write("empty", "")), HasSubstr("is not a skep flash"));
  EXPECT_THAT(error(folder.file("")), HasSubstr("cannot be opened"));
  EXPECT_THAT(error(folder.file("no/such/folder")), HasSubstr("cannot be created"));
  { const FileFlash flash(folder.file("cut"), kGeometry); }
  std::filesystem::resize_file(folder.file("cut"), 10'000);
  EXPECT_THAT(error(folder.file("cut")), HasSubstr("is 10000 B long, not 20480"));
}

TEST(FileFlash, RefusesImpossibleGeometries) {
  const TemporaryFolder folder;
  for (const FlashGeometry& bad :
       {FlashGeometry{0, 1024, 8}, FlashGeometry{1000, 1024, 8}, FlashGeometry{3000, 1000, 8},
        FlashGeometry{1024, 1024, 64}, FlashGeometry{1024, 1024, 0}, FlashGeometry{1024, 0, 8}}) {
    EXPECT_THAT(error_of([&] { const FileFlash flash(folder.file("flash"), bad); }),
                HasSubstr("no flash has"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("flash")));
}

TEST(FileFlash, IsForOneOwnerAtATime) {
  const TemporaryFolder folder;
  {
    const FileFlash flash(folder.file("flash"), kGeometry);
    EXPECT_THAT(error_of([&] { const FileFlash second(folder.file("flash"), kGeometry); }),
                HasSubstr("is in use by another process"));
  }
  const FileFlash again(folder.file("flash"), kGeometry);
}

}  // namespace
}  // namespace skep::port_host
