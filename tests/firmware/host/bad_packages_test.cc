#include <map>

#include "board_test.h"

namespace skep::firmware_test {
namespace {

using BadPackages = OnBoard;

// After each of these the image checks that the old model still predicts as before, and does so
// again after a restart.
TEST_P(BadPackages, AreRefusedEachWithItsCode) {
  const std::multimap<std::string, std::string> expected{
      {"ends_early", "InvalidArgument"},
      {"truncated", "Malformed"},
      {"truncated_to_its_head", "Malformed"},
      {"larger_than_a_slot", "TooLarge"},
      {"another_key", "BadSignature"},
      {"lower_version", "StaleVersion"},
      {"same_version", "StaleVersion"},
      {"no_layers", "Malformed"},
      {"zero_width", "Malformed"},
      {"overflowing_product", "Malformed"},
      {"largest_width", "Malformed"},
      {"too_many_parameters", "TooLarge"},
      {"unknown_layer", "Unsupported"},
      {"weights_of_another_shape", "Malformed"},
      {"too_large_for_the_arena", "NoMemory"},
      {"failing_flash", "StorageFailed"},
      {"unreadable_spare_slot", "StorageFailed"},
      {"unreadable_log", "StorageFailed"},
      {"unreadable_slots", "StorageFailed"},
  };
  const ImageRun result = run("test_bad_packages", Time::kFast, 600);
  std::multimap<std::string, std::string> found;
  std::uint64_t flips = 0;
  for (const ReportLine& line : result.lines_of("refused")) {
    if (line.words.at(1) == "flipped_bit") {
      flips = line.number("flips");
      EXPECT_EQ(line.number("BadSignature") + line.number("BadDigest") + line.number("Malformed"),
                flips);
    } else {
      found.emplace(line.words.at(1), line.words.at(2));
    }
  }
  EXPECT_EQ(found, expected) << result.output;
  EXPECT_GE(flips, 50U);
}
SKEP_TEST_ON_ALL_BOARDS(BadPackages);

}  // namespace
}  // namespace skep::firmware_test
