// Runs another program and gives back what it wrote: the independent opinion of a test.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace skep::pki_testing {

struct CommandResult {
  int exit_code = -1;  ///< 128 + signal if it was killed.
  std::string out;
  std::string err;
};

/// No shell: `arguments[0]` is looked up in PATH. Output goes through files, so that a program
/// that writes much to both streams cannot block.
inline CommandResult run(const std::vector<std::string>& arguments) {
  std::string folder = (std::filesystem::temp_directory_path() / "skep-run-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary directory");
  const std::string out_path = folder + "/out";
  const std::string err_path = folder + "/err";
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    const int in = ::open("/dev/null", O_RDONLY);
    const int out = ::open(out_path.c_str(), O_WRONLY | O_CREAT, 0600);
    const int err = ::open(err_path.c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const auto read = [](const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  };
  CommandResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read(out_path);
  result.err = read(err_path);
  std::filesystem::remove_all(folder);
  return result;
}

}  // namespace skep::pki_testing
