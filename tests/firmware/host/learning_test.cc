#include "board_test.h"
#include "skep/learn_testing/golden_training.h"

namespace skep::firmware_test {
namespace {

using Learning = OnBoard;

// The host's are made by learn_golden_test.
TEST_P(Learning, TrainedWeightsAreTheBytesOfEveryMachine) {
  const ImageRun result = run("test_learning", Time::kFast);
  const auto lines = result.lines_of("golden");
  ASSERT_EQ(lines.size(), learn_testing::kGoldenTrainings.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const learn_testing::GoldenTraining& training = learn_testing::kGoldenTrainings[i];
    EXPECT_EQ(lines[i].number("loss_sum"), training.loss_sum_q16) << training.name;
    EXPECT_EQ(result.value_of(std::string(training.name)), training.weights_sha256)
        << training.name;
  }
}
SKEP_TEST_ON_ALL_BOARDS(Learning);

}  // namespace
}  // namespace skep::firmware_test
