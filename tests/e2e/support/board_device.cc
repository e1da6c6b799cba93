#include "board_device.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace skep::e2e {
namespace {

// Where QEMU's user-mode network has this machine's loopback.
constexpr const char* kHostSeenFromBoard = "10.0.2.2";

std::filesystem::path image_of(const std::string& board) {
  return std::filesystem::path(SKEP_FIRMWARE_DIR) / board / "bin" / "skep-device.elf";
}

}  // namespace

std::string machine_name(std::string board) {
  std::ranges::replace(board, '_', '-');
  return board;
}

BoardDevice::BoardDevice(const std::string& board, std::filesystem::path folder,
                         const BoardProvision& provision)
    : board_(board), folder_(std::move(folder)) {
  if (!std::filesystem::exists(image_of(board_))) {
    throw std::runtime_error("no image " + image_of(board_).string() + ": run ./run firmware");
  }
  const process::Output made = process::run({std::string(SKEP_BIN_DIR) + "/skep-provision",
                                             "--credentials",
                                             provision.credentials,
                                             "--samples",
                                             provision.samples,
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
                                             "15000",
                                             "--answer-timeout-ms",
                                             "40000"});
  if (made.exit_code != 0) throw std::runtime_error("skep-provision: " + made.error);
}

void BoardDevice::start(const std::string& argument) {
  emulator_.emplace(
      process::Command{"/usr/bin/qemu-system-arm", "-M", machine_name(board_), "-kernel",
                       image_of(board_), "-display", "none", "-monitor", "none", "-serial", "stdio",
                       "-semihosting-config",
                       "enable=on,target=native,arg=skep-device,arg=flash=" + flash().string() +
                           (argument.empty() ? "" : ",arg=" + argument),
                       "-nic", "user,model=lan9118"},
      console());
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
