#include "skep/pki/files.h"

#include <fcntl.h>
#include <psa/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "mbedtls_support.h"

namespace skep::pki {
namespace {

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path, int error) {
  throw PkiError(what + " " + path.string() + ": " + std::strerror(error));
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Unlinks the file on destruction unless it has got its final name.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::filesystem::path path_;
};

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  std::uint64_t random = 0;
  random_bytes({reinterpret_cast<std::uint8_t*>(&random), sizeof random});
  return directory_of(path) / ("." + path.filename().string() + "." + std::to_string(random));
}

void write_all(int fd, Bytes content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", path, errno);
    content = content.subspan(static_cast<std::size_t>(written));
  }
}

// A new name in a directory is durable once the directory is.
void sync_directory(const std::filesystem::path& directory) {
  const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) fail("cannot flush the directory", directory, errno);
}

[[noreturn]] void fail_as_existing(const std::filesystem::path& path) {
  throw PkiError(path.string() + " exists already and is not overwritten: move it away first");
}

// Flushes `fd`, and gives its file its name.
void publish_file(int fd, const std::filesystem::path& temporary, const std::filesystem::path& path,
                  unsigned rename_flags) {
  if (::fsync(fd) != 0) fail("cannot flush", path, errno);
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), rename_flags) != 0) {
    const int error = errno;
    if (error == EEXIST) fail_as_existing(path);
    fail("cannot create", path, error);
  }
  sync_directory(directory_of(path));
}

void write_file(const std::filesystem::path& path, Bytes content, Access access,
                unsigned rename_flags) {
  const mode_t mode = access == Access::kSecret ? 0600 : 0644;
  TemporaryFile temporary(temporary_name(path));
  const FileDescriptor fd(
      ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) {
    temporary.keep();
    fail("cannot create", path, errno);
  }
  write_all(fd.get(), content, path);
  // The umask shaped the mode given to open(): here it is exact.
  if (::fchmod(fd.get(), mode) != 0) fail("cannot set the mode of", path, errno);
  publish_file(fd.get(), temporary.path(), path, rename_flags);
  temporary.keep();
}

struct stat stat_regular(int fd, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail("cannot read", path, errno);
  if (!S_ISREG(status.st_mode)) throw PkiError(path.string() + " is not a regular file");
  return status;
}

void require_private(const struct stat& status, const std::filesystem::path& path) {
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode) & 07777U);
    throw PkiError(path.string() + " holds a secret but has mode " + mode +
                   ": expected 0600 (chmod 600 it; if others could read it, replace the key)");
  }
  if (status.st_uid != ::geteuid()) {
    throw PkiError(path.string() + " holds a secret but belongs to user " +
                   std::to_string(status.st_uid) + ": expected " + std::to_string(::geteuid()));
  }
}

std::size_t checked_size(const struct stat& status, std::size_t max_bytes,
                         const std::filesystem::path& path) {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes) {
    throw PkiError(path.string() + " has " + std::to_string(size) + " bytes: expected at most " +
                   std::to_string(max_bytes));
  }
  return static_cast<std::size_t>(size);
}

void read_exactly(int fd, MutableBytes out, const std::filesystem::path& path) {
  while (!out.empty()) {
    const ssize_t got = ::read(fd, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read", path, errno);
    if (got == 0) throw PkiError(path.string() + " became shorter while it was read");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

// O_NONBLOCK: opening a FIFO must not wait for a writer; it means nothing for regular files.
int open_for_reading(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail("cannot open", path, errno);
  return fd;
}

}  // namespace

void create_file(const std::filesystem::path& path, Bytes content, Access access) {
  write_file(path, content, access, RENAME_NOREPLACE);
}

void replace_file(const std::filesystem::path& path, Bytes content, Access access) {
  write_file(path, content, access, 0);
}

FileInProgress::FileInProgress(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path_, ignored))) {
    fail_as_existing(path_);
  }
  std::filesystem::path temporary = temporary_name(path_);
  const FileDescriptor fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) fail("cannot create", path_, errno);
  temporary_ = std::move(temporary);
  // Whatever the umask; the owner may always.
  [[maybe_unused]] const int result = ::fchmod(fd.get(), S_IRUSR | S_IWUSR);
}

FileInProgress::~FileInProgress() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileInProgress::publish() {
  const FileDescriptor fd(open_for_reading(temporary_));
  publish_file(fd.get(), temporary_, path_, RENAME_NOREPLACE);
  temporary_.clear();
}

std::vector<std::uint8_t> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const FileDescriptor fd(open_for_reading(path));
  const struct stat status = stat_regular(fd.get(), path);
  std::vector<std::uint8_t> content(checked_size(status, max_bytes, path));
  read_exactly(fd.get(), content, path);
  return content;
}

SecretBytes read_secret_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const FileDescriptor fd(open_for_reading(path));
  const struct stat status = stat_regular(fd.get(), path);
  require_private(status, path);
  SecretBytes content(checked_size(status, max_bytes, path));
  read_exactly(fd.get(), content.mutable_bytes(), path);
  return content;
}

void create_private_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return;
  if (errno != EEXIST) fail("cannot create the directory", path, errno);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    throw PkiError(path.string() + " exists and is not a directory");
  }
  const bool empty = std::filesystem::is_empty(path, error);
  if (error) fail("cannot read the directory", path, error.value());
  if (!empty) throw PkiError(path.string() + " is not empty: expected a new or empty directory");
  if (::chmod(path.c_str(), 0700) != 0) fail("cannot set the mode of", path, errno);
}

}  // namespace skep::pki
