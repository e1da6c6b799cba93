#include "directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <stdexcept>

namespace skep::app {
namespace {

constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;

}  // namespace

DirectoryLock::DirectoryLock(const std::filesystem::path& directory)
    : file_(::open((directory / "skepd.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly),
            (directory / "skepd.lock").c_str()) {
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) {
    throw std::runtime_error("another skepd is already at work in " + directory.string());
  }
  throw std::system_error(errno, std::generic_category(), "flock");
}

}  // namespace skep::app
