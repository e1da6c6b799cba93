#include "qemu.h"

#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace skep::firmware_test {
namespace {

constexpr const char* kEmulator = "/usr/bin/qemu-system-arm";
constexpr int kCommandNotFound = 127;

ReportLine parse(const std::string& text) {
  ReportLine line;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) {
    line.words.push_back(word);
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals + 1 == word.size()) continue;
    const std::string number = word.substr(equals + 1);
    if (number.size() > 18 || number.find_first_not_of("0123456789") != std::string::npos) continue;
    line.numbers[word.substr(0, equals)] = std::stoull(number);
  }
  return line;
}

process::Command command_for(const EmulatedBoard& board, const std::string& image, Time time,
                             int timeout_s) {
  process::Command command{"/usr/bin/env", "timeout", "--kill-after=5", std::to_string(timeout_s)};
  const process::Command emulator = emulator_command(board.machine, image, {"fw"});
  command.insert(command.end(), emulator.begin(), emulator.end());
  if (time == Time::kRepeating) command.insert(command.end(), {"-icount", "shift=6"});
  return command;
}

}  // namespace

process::Command emulator_command(const std::string& machine, const std::filesystem::path& image,
                                  const std::vector<std::string>& arguments) {
  std::string semihosting = "enable=on,target=native";
  for (const std::string& argument : arguments) semihosting += ",arg=" + argument;
  return {
      kEmulator,  "-M",   machine,   "-kernel", image,  "-display",           "none",
      "-monitor", "none", "-serial", "stdio",   "-nic", "user,model=lan9118", "-semihosting-config",
      semihosting};
}

std::uint64_t ReportLine::number(const std::string& name) const {
  const auto found = numbers.find(name);
  if (found == numbers.end()) throw std::out_of_range("no number " + name + " in the report");
  return found->second;
}

std::vector<ReportLine> ImageRun::lines_of(const std::string& word) const {
  std::vector<ReportLine> found;
  for (const ReportLine& line : lines) {
    if (!line.words.empty() && line.words.front() == word) found.push_back(line);
  }
  return found;
}

std::string ImageRun::value_of(const std::string& name) const {
  const std::string prefix = name + "=";
  for (const ReportLine& line : lines) {
    if (!line.words.empty() && line.words.front().starts_with(prefix)) {
      return line.words.front().substr(prefix.size());
    }
  }
  return {};
}

ImageRun run_image(const EmulatedBoard& board, const std::string& folder, const std::string& image,
                   Time time, int timeout_s) {
  const std::string path = folder + "/" + board.name + "/bin/" + image + ".elf";
  if (!std::filesystem::exists(path)) {
    throw std::runtime_error("no image " + path + ": build it with ./run firmware");
  }
  process::Output output = process::run(command_for(board, path, time, timeout_s));
  ImageRun run;
  run.exit_code = output.exit_code;
  run.output = std::move(output.out) + output.error;
  if (run.exit_code == kCommandNotFound) {
    throw std::runtime_error("no qemu-system-arm on this machine: " + run.output);
  }
  std::istringstream stream(run.output);
  for (std::string line; std::getline(stream, line);) run.lines.push_back(parse(line));
  return run;
}

}  // namespace skep::firmware_test
