#include "board_test.h"

namespace skep::firmware_test {
namespace {

using LearningCounts = OnBoard;

// What a plan says is what an engine takes, to the byte; and integers are ahead of float32, with a
// floating-point unit or without.
TEST_P(LearningCounts, StayWithinThePlanAndTheBarsAndAheadOfFloat32) {
  const ImageRun result = run("test_learning_counts", Time::kRepeating, 900);
  const auto engines = result.lines_of("learning");
  const auto floats = result.lines_of("float32");
  ASSERT_EQ(engines.size(), 3U);
  ASSERT_EQ(floats.size(), 3U);
  for (std::size_t i = 0; i < engines.size(); ++i) {
    SCOPED_TRACE(engines[i].words.at(1));
    EXPECT_EQ(engines[i].number("training_touched_bytes"),
              engines[i].number("training_plan_bytes"));
    EXPECT_LT(engines[i].number("training_plan_bytes"), floats[i].number("training_bytes"));
    for (const char* pass : {"forward", "training"}) {
      EXPECT_LT(engines[i].number(pass), floats[i].number(pass)) << pass;
    }
    // The bar: 4.5 instructions for each multiplication and addition in training, for
    // convolutions on cores with SIMD instructions.
    if (GetParam().has_dsp && i > 0) {
      EXPECT_LE(10 * engines[i].number("training"), 45 * engines[i].number("training_macs"));
    }
  }
}

SKEP_TEST_ON_ALL_BOARDS(LearningCounts);

}  // namespace
}  // namespace skep::firmware_test
