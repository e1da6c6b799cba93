// At most one skepd works on a federation's directory.
#pragma once

#include <filesystem>

#include "unique_fd.h"

namespace skep::app {

/// Held from construction to destruction; the system drops it when the process ends, however it
/// ends, so the file that stays behind locks nobody out. Other tools may read the directory.
class DirectoryLock {
 public:
  /// Takes `directory`/skepd.lock without waiting.
  ///
  /// Errors: std::runtime_error if another process has it; std::system_error if the file cannot be
  /// made.
  explicit DirectoryLock(const std::filesystem::path& directory);

 private:
  UniqueFd file_;
};

}  // namespace skep::app
