#include "skep/pki/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace skep::pki {
namespace {

constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;

int open_lock_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), path.string());
  return fd;
}

}  // namespace

DirectoryLock::DirectoryLock(const std::filesystem::path& directory)
    : fd_(open_lock_file(directory / "skepd.lock")) {
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(fd_);
  if (error == EWOULDBLOCK) {
    throw std::runtime_error("another skepd is already at work in " + directory.string());
  }
  throw std::system_error(error, std::generic_category(), "flock");
}

DirectoryLock::~DirectoryLock() { ::close(fd_); }

}  // namespace skep::pki
