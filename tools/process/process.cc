#include "skep/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace skep::process {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void open(int fd, const char* path, int flags) {
    posix_spawn_file_actions_addopen(&actions_, fd, path, flags, 0600);
  }
  void duplicate(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

pid_t spawn(const Command& command, const FileActions& actions) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, arguments[0], actions.get(), nullptr, arguments.data(), environ);
  if (error != 0) fail("cannot start " + command.at(0), error);
  return pid;
}

int reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid", errno);
  }
  return status;
}

class Pipe {
 public:
  Pipe() {
    if (pipe2(fds_.data(), O_CLOEXEC) != 0) fail("pipe2", errno);
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int read_end() const { return fds_[0]; }
  [[nodiscard]] int write_end() const { return fds_[1]; }
  void close_end(std::size_t end) {
    if (fds_.at(end) >= 0) ::close(fds_.at(end));
    fds_.at(end) = -1;
  }

 private:
  std::array<int, 2> fds_{-1, -1};
};

// Appends what there is; false at the end of the stream.
bool read_some(int fd, std::string& text) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

void drain(int first_fd, std::string& first, int second_fd, std::string& second) {
  std::array<pollfd, 2> streams{pollfd{first_fd, POLLIN, 0}, pollfd{second_fd, POLLIN, 0}};
  const std::array<std::string*, 2> texts{&first, &second};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (::poll(streams.data(), streams.size(), -1) < 0 && errno != EINTR) fail("poll", errno);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].fd < 0 || streams[i].revents == 0) continue;
      if (!read_some(streams[i].fd, *texts[i])) streams[i].fd = -1;
    }
  }
}

}  // namespace

Process::Process(const Command& command, const std::filesystem::path& log) {
  FileActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  actions.open(STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  actions.duplicate(STDOUT_FILENO, STDERR_FILENO);
  pid_ = spawn(command, actions);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), wait_status_(other.wait_status_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    kill_and_reap();
    pid_ = std::exchange(other.pid_, -1);
    wait_status_ = other.wait_status_;
  }
  return *this;
}

Process::~Process() { kill_and_reap(); }

void Process::kill_and_reap() noexcept {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

bool Process::is_running() {
  if (pid_ < 0) return false;
  if (waitpid(pid_, &wait_status_, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void Process::signal(int number) const {
  if (pid_ >= 0) ::kill(pid_, number);
}

int Process::stop(int number) {
  if (pid_ >= 0) {
    ::kill(pid_, number);
    wait_status_ = reap(std::exchange(pid_, -1));
  }
  return wait_status_;
}

Output run(const Command& command) {
  Pipe out;
  Pipe error;
  FileActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  actions.duplicate(out.write_end(), STDOUT_FILENO);
  actions.duplicate(error.write_end(), STDERR_FILENO);
  const pid_t pid = spawn(command, actions);
  out.close_end(1);
  error.close_end(1);

  Output output;
  drain(out.read_end(), output.out, error.read_end(), output.error);
  const int status = reap(pid);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

nlohmann::json run_json(const Command& command) {
  const Output output = run(command);
  nlohmann::json document = nlohmann::json::parse(output.out, nullptr, false);
  if (output.exit_code != 0 || document.is_discarded()) {
    std::string line;
    for (const std::string& argument : command) line += argument + " ";
    throw std::runtime_error(line + "failed with exit code " + std::to_string(output.exit_code) +
                             ":\n" + output.out + output.error);
  }
  return document;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "skep-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) fail("mkdtemp " + name, errno);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace skep::process
