#include <map>

#include "board_test.h"
#include "skep/round_testing/reference_update.h"

namespace skep::firmware_test {
namespace {

using InstructionCounts = OnBoard;
using Counts = std::map<std::string, std::uint64_t>;

Counts counts_of(const ImageRun& run) {
  Counts counts;
  for (const ReportLine& line : run.lines_of("instructions")) {
    for (const auto& [name, number] : line.numbers) {
      const bool is_most = name == "most";
      counts[is_most ? line.words.at(1).substr(0, line.words.at(1).find('=')) + "_most" : name] =
          number;
    }
  }
  return counts;
}

// The bars of design.md, section 9.
TEST_P(InstructionCounts, MeetTheBars) {
  const ImageRun result = run("test_instruction_counts", Time::kRepeating);
  const Counts counts = counts_of(result);
  const std::uint64_t bar = GetParam().has_dsp ? 40'000 : 60'000;
  EXPECT_LE(counts.at("train_step_mlp_64_32_10"), bar);
  EXPECT_LE(counts.at("train_step_mlp_64_32_10_most"), bar);
  EXPECT_LE(counts.at("train_step_all_units_alive"), bar);
  for (const char* name : {"forward", "top_k", "compress", "seal", "sign", "verify"}) {
    EXPECT_GT(counts.at(name), 0U) << name;
  }
  const auto memory = result.lines_of("memory");
  ASSERT_FALSE(memory.empty());
  EXPECT_LE(memory[0].number("train_mlp_64_32_10_bytes"), 6U * 1024);
}

TEST_P(InstructionCounts, AreTheSameInEachRun) {
  const Counts first = counts_of(run("test_instruction_counts", Time::kRepeating));
  const Counts second = counts_of(run("test_instruction_counts", Time::kRepeating));
  ASSERT_EQ(first.size(), second.size());
  ASSERT_GE(first.size(), 8U);
  for (const auto& [name, number] : first) {
    EXPECT_NEAR(static_cast<double>(number), static_cast<double>(second.at(name)), 1.0) << name;
  }
}

// The host's is made by round_local_round_test.
TEST_P(InstructionCounts, TheUpdateIsThatOfEveryMachine) {
  EXPECT_EQ(run("test_instruction_counts", Time::kFast).value_of("update_sha256"),
            round_testing::kReferenceUpdateSha256);
}
SKEP_TEST_ON_ALL_BOARDS(InstructionCounts);

}  // namespace
}  // namespace skep::firmware_test
