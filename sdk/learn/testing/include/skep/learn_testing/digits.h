// The "digits" data set: 1,797 images of 8 x 8 pixels, 0 … 16, of ten handwritten digits.
// (E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998; the CSV is
// the one that scikit-learn ships. tools/deps/fetch puts it into the cache.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "skep/learn_testing/data_set.h"

namespace skep::learn_testing {

inline constexpr std::size_t kDigitsPixels = 64;
inline constexpr std::size_t kDigitsClasses = 10;
inline constexpr std::size_t kDigitsCount = 1797;
/// A pixel's value is int16 * 2^-4: 0 … 1.
inline constexpr std::int8_t kDigitsInputExponent = -4;

/// The environment variable SKEP_DIGITS_CSV, or else where the build expects the file.
inline std::string digits_path() {
  const char* const path = std::getenv("SKEP_DIGITS_CSV");
  return path != nullptr ? path : SKEP_DIGITS_CSV;
}

namespace internal {

inline Sample parse_digit(const std::string& line, const std::string& where) {
  std::istringstream fields(line);
  std::array<int, kDigitsPixels + 1> values{};
  for (int& value : values) {
    std::string field;
    if (!std::getline(fields, field, ',')) throw std::runtime_error(where + ": too few columns");
    value = std::stoi(field);
    if (value < 0 || value > 16) throw std::runtime_error(where + ": a value outside 0 … 16");
  }
  if (values.back() > 9) throw std::runtime_error(where + ": a label outside 0 … 9");
  Sample digit;
  digit.features.assign(values.begin(), values.end() - 1);
  digit.label = static_cast<std::uint16_t>(values.back());
  return digit;
}

}  // namespace internal

/// All rows in the file's order. Throws std::runtime_error if the file is missing or not the one
/// described above.
inline std::vector<Sample> load_digits(const std::string& path = digits_path()) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path + " (run tools/deps/fetch)");
  std::vector<Sample> digits;
  for (std::string line; std::getline(file, line);) {
    const std::string where = path + ":" + std::to_string(digits.size() + 1);
    digits.push_back(internal::parse_digit(line, where));
  }
  if (digits.size() != kDigitsCount) throw std::runtime_error(path + ": not 1,797 rows");
  return digits;
}

}  // namespace skep::learn_testing
