// At most one program that must have a federation's directory to itself: skepd, or a restore.
#pragma once

#include <filesystem>

namespace skep::pki {

/// Held from construction to destruction; the system drops it when the process ends, however it
/// ends, so the file that stays behind locks nobody out. Other tools may read the directory.
class DirectoryLock {
 public:
  /// Takes `directory`/skepd.lock without waiting.
  ///
  /// Errors: std::runtime_error if another process has it; std::system_error if the file cannot be
  /// made.
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();

  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_;
};

}  // namespace skep::pki
