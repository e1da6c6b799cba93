#include "board_device.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "qemu.h"

namespace skep::e2e {
namespace {

// Where QEMU's user-mode network has this machine's loopback.
constexpr const char* kHostSeenFromBoard = "10.0.2.2";

}  // namespace

std::string machine_name(std::string board) {
  std::ranges::replace(board, '_', '-');
  return board;
}

BoardDevice::BoardDevice(const std::string& board, std::filesystem::path folder,
                         const BoardProvision& provision, BoardImage image)
    : board_(board), folder_(std::move(folder)), image_(image) {
  if (!std::filesystem::exists(image_file())) {
    throw std::runtime_error("no image " + image_file().string() + ": run ./run firmware");
  }
  process::Command command{std::string(SKEP_BIN_DIR) + "/skep-provision",
                           "--credentials",
                           provision.credentials,
                           "--out",
                           flash(),
                           "--gateway",
                           kHostSeenFromBoard,
                           "--gateway-port",
                           std::to_string(provision.gateway_port),
                           "--training-seed",
                           std::to_string(provision.training_seed),
                           "--backoff-first-ms",
                           "100",
                           "--backoff-longest-ms",
                           "1000",
                           "--ack-timeout-ms",
                           "1000",
                           "--refresh-ms",
                           std::to_string(provision.refresh_ms),
                           "--answer-timeout-ms",
                           "40000"};
  if (!provision.samples.empty()) {
    command.insert(command.end(), {"--samples", provision.samples});
  }
  const process::Output made = process::run(command);
  if (made.exit_code != 0) throw std::runtime_error("skep-provision: " + made.error);
}

std::filesystem::path BoardDevice::image_file() const {
  const char* file = image_ == BoardImage::kMonitor ? "skep-monitor.elf" : "skep-device.elf";
  return std::filesystem::path(SKEP_FIRMWARE_DIR) / board_ / "bin" / file;
}

void BoardDevice::start(const std::string& argument) {
  std::vector<std::string> arguments{"skep-device", "flash=" + flash().string()};
  if (!argument.empty()) arguments.push_back(argument);
  process::Command command =
      firmware_test::emulator_command(machine_name(board_), image_file(), arguments);
  if (image_ == BoardImage::kMonitor) {
    command.insert(command.end(), {"-serial", "unix:" + sensor().string() + ",server=on,wait=off"});
  }
  emulator_.emplace(command, console());
}

void BoardDevice::check_alive() {
  if (!emulator_ || emulator_->is_running()) return;
  throw std::runtime_error(board_ + " has stopped:\n" + printed());
}

int BoardDevice::wait_for_exit(int limit_s) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(limit_s);
  while (emulator_->is_running()) {
    if (std::chrono::steady_clock::now() > limit) return -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const int status = emulator_->stop(0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<std::string> BoardDevice::events(const std::string& kind) const {
  const std::string begin = "event kind=" + kind + " ";
  std::vector<std::string> found;
  std::istringstream lines(printed());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(begin)) found.push_back(line);
  }
  return found;
}

}  // namespace skep::e2e
