#include "vector_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace skep::wire {
namespace {

const std::filesystem::path kFolder = SKEP_TEST_SOURCE_DIR;

}  // namespace

std::string read_text(const std::string& name) {
  std::ifstream in(kFolder / name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::uint8_t> read_vector(const std::string& name) {
  std::string digits = read_text(name + ".hex");
  std::erase(digits, '\n');
  const auto is_digit = [](unsigned char c) { return std::isxdigit(c) != 0; };
  EXPECT_TRUE(digits.size() % 2 == 0 && std::all_of(digits.begin(), digits.end(), is_digit))
      << name;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<std::string> vector_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".textproto") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace skep::wire
