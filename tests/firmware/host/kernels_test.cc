#include "board_test.h"

namespace skep::firmware_test {
namespace {

using Kernels = OnBoard;

// The image compares each kernel with its definition and all results with one digest.
TEST_P(Kernels, AreBitIdentical) {
  const ImageRun result = run("test_kernels", Time::kFast);
  const auto lines = result.lines_of("kernels");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].number("dsp"), GetParam().has_dsp ? 1U : 0U) << "the core's own kernels ran";
  EXPECT_GE(lines[0].number("cases"), 1000U);
}
SKEP_TEST_ON_ALL_BOARDS(Kernels);

}  // namespace
}  // namespace skep::firmware_test
