// The files of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace skep::wire {

/// The text of a file in this folder; fails the running test if it cannot be read.
std::string read_text(const std::string& name);

/// The bytes of NAME.hex; fails the running test if that is not hexadecimal.
std::vector<std::uint8_t> read_vector(const std::string& name);

/// The names of all NAME.textproto, sorted.
std::vector<std::string> vector_names();

}  // namespace skep::wire
