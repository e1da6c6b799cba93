#include <cstdio>

#include "board_test.h"

namespace skep::firmware_test {
namespace {

using PowerCut = OnBoard;

// The image ends as failed when a boot after a cut finds no verified model, or not the update that
// it should; here we make sure that it cut at every operation and in every way.
TEST_P(PowerCut, AtEveryOperation) {
  const ImageRun result = run("test_power_cut", Time::kFast, 900);
  const auto lines = result.lines_of("power_cut");
  ASSERT_EQ(lines.size(), 7U) << result.output;
  for (const ReportLine& line : lines) {
    const std::string& campaign = line.words.at(1);
    SCOPED_TRACE(campaign);
    EXPECT_GE(line.number("operations"), 15U);
    EXPECT_EQ(line.number("tears"), campaign == "install_signed" ? 2U : 4U);
    EXPECT_EQ(line.number("cuts"), line.number("operations") * line.number("tears"));
    EXPECT_GE(line.number("recovery_cuts"), campaign == "install_signed" ? 0U : 100U);
    EXPECT_GE(line.number("boots"), 2 * line.number("cuts") + line.number("recovery_cuts"));
    EXPECT_GT(line.number("old_model"), 0U);
    EXPECT_EQ(line.number("new_model") > 0, campaign.starts_with("install"));
    std::printf("%s %s: %llu cuts, %llu more during recovery\n", GetParam().name, campaign.c_str(),
                static_cast<unsigned long long>(line.number("cuts")),
                static_cast<unsigned long long>(line.number("recovery_cuts")));
  }
}
// What is tested depends little on the core, and takes minutes: two of them.
INSTANTIATE_TEST_SUITE_P(Boards, PowerCut, testing::Values(kEmulatedBoards[0], kEmulatedBoards[3]),
                         name_of);

}  // namespace
}  // namespace skep::firmware_test
