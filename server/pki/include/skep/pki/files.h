// Files that are either whole and durable or not there, and secrets that only their owner reads.
//
// All functions throw PkiError with the path and the reason of the operating system.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "skep/bytes.h"
#include "skep/pki/error.h"
#include "skep/pki/secret_bytes.h"

namespace skep::pki {

enum class Access {
  kSecret,  ///< Mode 0600.
  kPublic,  ///< Mode 0644.
};

/// Creates the file `path` with `content`: written beside it under another name, flushed to the
/// medium, then renamed without replacing. A crash at any moment leaves no file or the whole one.
///
/// Errors: PkiError if `path` exists (never overwritten, no symbolic link followed) or on an
/// input/output error; nothing is left behind.
void create_file(const std::filesystem::path& path, Bytes content, Access access);

/// As create_file(), but an existing file is replaced, and keeps nothing of its old content.
void replace_file(const std::filesystem::path& path, Bytes content, Access access);

/// A file of mode 0600 that somebody else writes, under another name beside its own until it is
/// whole. Removed on destruction unless it was published.
class FileInProgress {
 public:
  /// Makes the empty file. Errors: PkiError if `path` exists, or it cannot be made.
  explicit FileInProgress(std::filesystem::path path);
  ~FileInProgress();

  /// What to write to; nobody may have it open when it is published.
  [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }

  /// Flushes the file to the medium, and renames it. Errors: as create_file().
  void publish();

  FileInProgress(const FileInProgress&) = delete;
  FileInProgress& operator=(const FileInProgress&) = delete;

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // Empty once it is published.
};

/// Errors: PkiError if `path` is not a regular file, is longer than `max_bytes`, or cannot be read.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path, std::size_t max_bytes);

/// As read_file(). Errors in addition: PkiError if group or others have any permission on the
/// file, or if it belongs to another user: such a secret must be taken for known.
SecretBytes read_secret_file(const std::filesystem::path& path, std::size_t max_bytes);

/// Makes the directory `path` with mode 0700 (its parents must exist), or narrows an existing
/// empty one to 0700. Errors: PkiError if it is not empty or not a directory.
void create_private_directory(const std::filesystem::path& path);

}  // namespace skep::pki
