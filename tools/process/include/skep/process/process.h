// Child processes, owned: none outlives its object.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace skep::process {

using Command = std::vector<std::string>;  ///< Program (a path) and arguments.

/// A running program; standard output and error go to one file, appended.
///
/// Movable; the destructor kills with SIGKILL. Not thread-safe.
class Process {
 public:
  /// Throws std::system_error if the log or the program cannot be opened or started.
  Process(const Command& command, const std::filesystem::path& log);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// False once it has ended, for whatever reason.
  [[nodiscard]] bool is_running();

  void signal(int number) const;

  /// Sends `number` and waits for the end; returns the wait status.
  int stop(int number);

 private:
  void kill_and_reap() noexcept;

  pid_t pid_ = -1;  // −1: ended and reaped
  int wait_status_ = 0;
};

struct Output {
  int exit_code = -1;  ///< −1 if a signal ended it.
  std::string out;
  std::string error;
};

/// Runs a program to its end, with nothing on its standard input.
/// Throws std::system_error if it cannot be started.
[[nodiscard]] Output run(const Command& command);

/// run(), and its standard output as one JSON document. Throws std::runtime_error with both
/// outputs in its text if the program fails or prints something else.
[[nodiscard]] nlohmann::json run_json(const Command& command);

/// The whole file; empty if there is none.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// A fresh directory of mode 0700 under the system's temporary folder, removed with its content
/// on destruction.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace skep::process
