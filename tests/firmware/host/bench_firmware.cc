// ./run bench firmware: instruction counts of the emulated boards, side by side.
//
//   skep-bench-firmware [FOLDER]   images in FOLDER/<board>/bin, default: where tests look
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "qemu.h"

namespace skep::firmware_test {
namespace {

constexpr const char* kNames[] = {
    "train_step_mlp_64_32_10",
    "train_step_all_units_alive",
    "forward",
    "top_k",
    "compress",
    "seal",
    "sign",
    "verify",
};

std::vector<ImageRun> run_all(const std::string& folder) {
  std::vector<ImageRun> runs;
  for (const EmulatedBoard& board : kEmulatedBoards) {
    runs.push_back(run_image(board, folder, "test_instruction_counts", Time::kRepeating, 300));
    if (runs.back().exit_code != 0) {
      throw std::runtime_error(std::string(board.name) + ": " + runs.back().output);
    }
  }
  return runs;
}

std::uint64_t count_of(const ImageRun& run, const std::string& name) {
  for (const ReportLine& line : run.lines_of("instructions")) {
    if (line.numbers.contains(name)) return line.number(name);
  }
  throw std::runtime_error("no count of " + name + " in: " + run.output);
}

void print_table(const std::vector<ImageRun>& runs) {
  std::printf("| instructions |");
  for (const EmulatedBoard& board : kEmulatedBoards) std::printf(" %s |", board.core);
  std::printf("\n|---|---:|---:|---:|---:|\n");
  for (const char* name : kNames) {
    std::printf("| `%s` |", name);
    for (const ImageRun& run : runs) {
      std::printf(" %llu |", static_cast<unsigned long long>(count_of(run, name)));
    }
    std::printf("\n");
  }
  std::printf("\n");
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::printf("%-10s update_sha256 %s\n", kEmulatedBoards[i].core,
                runs[i].value_of("update_sha256").c_str());
  }
}

}  // namespace
}  // namespace skep::firmware_test

int main(int argc, char** argv) {
  try {
    skep::firmware_test::print_table(
        skep::firmware_test::run_all(argc > 1 ? argv[1] : SKEP_FIRMWARE_DIR));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-bench-firmware: error: %s\n", error.what());
    return 1;
  }
}
