// Runs an image in QEMU and reads what it prints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "skep/process/process.h"

namespace skep::firmware_test {

/// A board that QEMU has, and that images are built for.
struct EmulatedBoard {
  const char* name;     ///< Of its folder in boards/.
  const char* machine;  ///< QEMU's name for it.
  const char* core;
  bool has_dsp;
};

inline constexpr EmulatedBoard kEmulatedBoards[] = {
    {"mps2_an385", "mps2-an385", "Cortex-M3", false},
    {"mps2_an386", "mps2-an386", "Cortex-M4F", true},
    {"mps2_an500", "mps2-an500", "Cortex-M7", true},
    {"mps2_an505", "mps2-an505", "Cortex-M33", true},
};

/// QEMU with an image: the console is the standard streams, the network QEMU's own, which reaches
/// this machine's loopback at 10.0.2.2. `arguments` are what the image gets by semihosting.
[[nodiscard]] process::Command emulator_command(const std::string& machine,
                                                const std::filesystem::path& image,
                                                const std::vector<std::string>& arguments);

/// Words of a line, and its "name=number" words by name.
struct ReportLine {
  std::vector<std::string> words;
  std::map<std::string, std::uint64_t> numbers;

  /// Throws std::out_of_range, with the name in its text.
  [[nodiscard]] std::uint64_t number(const std::string& name) const;
};

struct ImageRun {
  int exit_code = -1;  ///< 0: the image says that all is well. 124: it did not end.
  std::string output;
  std::vector<ReportLine> lines;

  /// The lines whose first word is `word`, without those of other words.
  [[nodiscard]] std::vector<ReportLine> lines_of(const std::string& word) const;

  /// What follows `name` and "=" in a line that begins so; empty if there is none.
  [[nodiscard]] std::string value_of(const std::string& name) const;
};

enum class Time : std::uint8_t {
  kFast,      ///< As fast as this machine can.
  kRepeating  ///< An instruction takes 64 ns: counts are the same in each run.
};

/// Runs `image` (its name without .elf) from <folder>/<board>/bin to its end, for at most
/// `timeout_s`.
///
/// Throws std::runtime_error if QEMU or the image is missing: images are built by ./run firmware.
[[nodiscard]] ImageRun run_image(const EmulatedBoard& board, const std::string& folder,
                                 const std::string& image, Time time, int timeout_s);

}  // namespace skep::firmware_test
