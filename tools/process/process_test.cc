#include "skep/process/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <stdexcept>
#include <system_error>

namespace skep::process {
namespace {

TEST(Process, RunCapturesBothStreamsAndTheExitCode) {
  const Output output = run({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.error, "err\n");
}

TEST(Process, RunDoesNotStallOnMuchOutputOnBothStreams) {
  const Output output =
      run({"/bin/sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"});
  EXPECT_EQ(output.out.size(), 300'000U);
  EXPECT_EQ(output.error.size(), 300'000U);
}

TEST(Process, AMissingProgramIsAnError) {
  EXPECT_THROW((void)run({"/nonexistent/program"}), std::system_error);
}

TEST(Process, RunJsonWantsOneDocument) {
  EXPECT_EQ(run_json({"/bin/echo", R"({"a":1})"})["a"], 1);
  EXPECT_THROW((void)run_json({"/bin/echo", R"({"a":1} {"b":2})"}), std::runtime_error);
  EXPECT_THROW((void)run_json({"/bin/sh", "-c", "echo '{}'; exit 1"}), std::runtime_error);
}

TEST(Process, LogsStopsAndEndsWithItsObject) {
  const TemporaryDirectory directory;
  const auto log = directory.path() / "log";
  pid_t pid = -1;
  {
    Process child({"/bin/sh", "-c", "echo started; exec sleep 1000"}, log);
    pid = child.pid();
    while (read_text(log).empty()) ASSERT_TRUE(child.is_running());
    EXPECT_EQ(read_text(log), "started\n");
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  Process child({"/bin/sleep", "1000"}, log);
  const int status = child.stop(SIGTERM);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(child.is_running());
}

}  // namespace
}  // namespace skep::process
