// Where a benchmark finds the programs that it starts.
#pragma once

#include <filesystem>

namespace skep::bench {

/// The folder of this very program: skepd and skepctl of the same build stand beside it.
inline std::filesystem::path own_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

}  // namespace skep::bench
