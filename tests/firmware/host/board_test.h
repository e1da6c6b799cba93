// A test that runs on each emulated board.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "qemu.h"

namespace skep::firmware_test {

class OnBoard : public testing::TestWithParam<EmulatedBoard> {
 protected:
  /// Runs the image and expects that it says that all is well.
  static ImageRun run(const std::string& image, Time time, int timeout_s = 300) {
    ImageRun run = run_image(GetParam(), SKEP_FIRMWARE_DIR, image, time, timeout_s);
    EXPECT_EQ(run.exit_code, 0) << run.output;
    EXPECT_TRUE(run.output.ends_with("passed\n")) << run.output;
    return run;
  }
};

inline std::string name_of(const testing::TestParamInfo<EmulatedBoard>& info) {
  return info.param.name;
}

}  // namespace skep::firmware_test

#define SKEP_TEST_ON_ALL_BOARDS(suite) \
  INSTANTIATE_TEST_SUITE_P(Boards, suite, testing::ValuesIn(kEmulatedBoards), name_of)
