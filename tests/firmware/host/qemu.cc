#include "qemu.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace skep::firmware_test {
namespace {

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

std::string command_for(const EmulatedBoard& board, const std::string& image, Time time,
                        int timeout_s) {
  std::ostringstream command;
  command << "timeout --kill-after=5 " << timeout_s << " qemu-system-arm -M " << board.machine
          << " -kernel '" << image << "' -display none -monitor none -serial stdio"
          << " -nic user,model=lan9118 -semihosting-config enable=on,target=native,arg=fw";
  if (time == Time::kRepeating) command << " -icount shift=6";
  command << " </dev/null 2>&1";
  return command.str();
}

}  // namespace

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
  FILE* const pipe = popen(command_for(board, path, time, timeout_s).c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start a shell");
  ImageRun run;
  std::array<char, 4096> buffer{};
  for (std::size_t length = 0; (length = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    run.output.append(buffer.data(), length);
  }
  const int status = pclose(pipe);
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (run.exit_code == kCommandNotFound) {
    throw std::runtime_error("no qemu-system-arm on this machine: " + run.output);
  }
  std::istringstream stream(run.output);
  for (std::string line; std::getline(stream, line);) run.lines.push_back(parse(line));
  return run;
}

}  // namespace skep::firmware_test
