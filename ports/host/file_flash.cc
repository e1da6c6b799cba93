#include "skep/port_host/file_flash.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>
#include <vector>

namespace skep::port_host {
namespace {

constexpr std::uint32_t kHeaderBytes = 4096;  // one page, so that the flash begins on one
constexpr std::size_t kHeaderTextBytes = 128;
constexpr mode_t kMode = S_IRUSR | S_IWUSR;

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw std::runtime_error(path + ": " + reason);
}

[[noreturn]] void fail_with_errno(const std::string& path, const std::string& what) {
  fail(path, what + ": " + std::strerror(errno));
}

/// Closes its file descriptor, unless it was released.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

bool read_all(int file, std::uint64_t offset, MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = pread(file, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

bool write_all(int file, std::uint64_t offset, Bytes data) {
  while (!data.empty()) {
    const ssize_t put = pwrite(file, data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    offset += static_cast<std::uint64_t>(put);
    data = data.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

bool is_valid(const FlashGeometry& geometry) {
  return std::has_single_bit(geometry.erase_unit_bytes) &&
         std::has_single_bit(geometry.program_unit_bytes) && geometry.program_unit_bytes <= 32 &&
         geometry.program_unit_bytes <= geometry.erase_unit_bytes && geometry.size_bytes != 0 &&
         geometry.size_bytes % geometry.erase_unit_bytes == 0;
}

// The header page's text, which says to `head` what the file is.
std::array<std::uint8_t, kHeaderTextBytes> header_text(const FlashGeometry& geometry) {
  std::array<char, kHeaderTextBytes> text{};
  std::snprintf(text.data(), text.size(), "skep flash 1\nsize %u\nerase %u\nprogram %u\n",
                geometry.size_bytes, geometry.erase_unit_bytes, geometry.program_unit_bytes);
  std::array<std::uint8_t, kHeaderTextBytes> bytes{};
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string describe(const FlashGeometry& geometry) {
  return std::to_string(geometry.size_bytes) + " B in erase units of " +
         std::to_string(geometry.erase_unit_bytes) + " B and program units of " +
         std::to_string(geometry.program_unit_bytes) + " B";
}

// So that a new name survives a loss of power.
void sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0 || fsync(file.get()) != 0) fail_with_errno(folder, "cannot be synced");
}

// Makes the whole file under another name, then gives it its own: it never exists half-made, and
// if another process made one meanwhile, that one stays.
void create(const std::string& path, const FlashGeometry& geometry) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) fail_with_errno(path, "cannot be created");
  const auto text = header_text(geometry);
  const std::vector<std::uint8_t> erased(geometry.size_bytes, 0xFF);
  const bool is_written = fchmod(file.get(), kMode) == 0 && write_all(file.get(), 0, text) &&
                          write_all(file.get(), kHeaderBytes, erased) && fsync(file.get()) == 0;
  const bool is_linked =
      is_written && (link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  unlink(temporary.c_str());
  errno = error;
  if (!is_linked) fail_with_errno(path, "cannot be created");
  sync_folder_of(path);
}

void check_header(int file, const std::string& path, const FlashGeometry& geometry) {
  std::array<std::uint8_t, kHeaderTextBytes> stored{};
  struct stat info {};
  if (fstat(file, &info) != 0) fail_with_errno(path, "cannot be read");
  if (!S_ISREG(info.st_mode) || !read_all(file, 0, stored)) fail(path, "is not a skep flash");
  FlashGeometry found{};
  stored.back() = 0;
  if (std::sscanf(reinterpret_cast<const char*>(stored.data()),
                  "skep flash 1\nsize %u\nerase %u\nprogram %u\n", &found.size_bytes,
                  &found.erase_unit_bytes, &found.program_unit_bytes) != 3 ||
      stored != header_text(found)) {
    fail(path, "is not a skep flash");
  }
  if (stored != header_text(geometry)) {
    fail(path, "has " + describe(found) + ", not " + describe(geometry));
  }
  if (info.st_size != static_cast<off_t>(kHeaderBytes) + static_cast<off_t>(found.size_bytes)) {
    fail(path, "is " + std::to_string(info.st_size) + " B long, not " +
                   std::to_string(std::uint64_t{kHeaderBytes} + found.size_bytes));
  }
}

}  // namespace

FileFlash::FileFlash(const std::string& path, const FlashGeometry& geometry) : geometry_(geometry) {
  if (!is_valid(geometry)) fail(path, "no flash has " + describe(geometry));
  constexpr int kFlags = O_RDWR | O_CLOEXEC;
  int descriptor = ::open(path.c_str(), kFlags);
  if (descriptor < 0 && errno == ENOENT) {
    create(path, geometry);
    descriptor = ::open(path.c_str(), kFlags);
  }
  Descriptor file(descriptor);
  if (file.get() < 0) fail_with_errno(path, "cannot be opened");
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) fail(path, "is in use by another process");
    fail_with_errno(path, "cannot be locked");
  }
  check_header(file.get(), path, geometry);
  file_ = file.release();
}

FileFlash::~FileFlash() { close(file_); }

Status FileFlash::read(std::uint32_t offset, MutableBytes out) {
  if (!is_inside(offset, out.size(), 1)) return Status::kInvalidArgument;
  return read_all(file_, std::uint64_t{kHeaderBytes} + offset, out) ? Status::kOk
                                                                    : Status::kStorageFailed;
}

Status FileFlash::program(std::uint32_t offset, Bytes data) {
  if (!is_inside(offset, data.size(), geometry_.program_unit_bytes)) {
    return Status::kInvalidArgument;
  }
  std::vector<std::uint8_t> cells(data.size());
  SKEP_TRY(read(offset, cells));
  std::transform(
      cells.begin(), cells.end(), data.begin(), cells.begin(),
      [](std::uint8_t cell, std::uint8_t bits) { return static_cast<std::uint8_t>(cell & bits); });
  return write_all(file_, std::uint64_t{kHeaderBytes} + offset, cells) ? Status::kOk
                                                                       : Status::kStorageFailed;
}

Status FileFlash::erase(std::uint32_t offset, std::uint32_t length_bytes) {
  if (!is_inside(offset, length_bytes, geometry_.erase_unit_bytes)) {
    return Status::kInvalidArgument;
  }
  const std::vector<std::uint8_t> erased(length_bytes, 0xFF);
  return write_all(file_, std::uint64_t{kHeaderBytes} + offset, erased) ? Status::kOk
                                                                        : Status::kStorageFailed;
}

Status FileFlash::sync() { return fdatasync(file_) == 0 ? Status::kOk : Status::kStorageFailed; }

bool FileFlash::is_inside(std::uint32_t offset, std::size_t length_bytes,
                          std::uint32_t unit) const {
  return offset % unit == 0 && length_bytes % unit == 0 && offset <= geometry_.size_bytes &&
         length_bytes <= geometry_.size_bytes - offset;
}

}  // namespace skep::port_host
