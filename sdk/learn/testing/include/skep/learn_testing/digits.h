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

#include "skep/core/permutation.h"

namespace skep::learn_testing {

inline constexpr std::size_t kDigitsPixels = 64;
inline constexpr std::size_t kDigitsClasses = 10;
inline constexpr std::size_t kDigitsCount = 1797;
/// A pixel's value is int16 * 2^-4: 0 … 1.
inline constexpr std::int8_t kDigitsInputExponent = -4;

struct Digit {
  std::array<std::int16_t, kDigitsPixels> pixels{};
  std::uint16_t label = 0;
};

struct DigitsSplit {
  std::vector<Digit> training;
  std::vector<Digit> test;
};

/// The environment variable SKEP_DIGITS_CSV, or else where the build expects the file.
inline std::string digits_path() {
  const char* const path = std::getenv("SKEP_DIGITS_CSV");
  return path != nullptr ? path : SKEP_DIGITS_CSV;
}

namespace internal {

inline Digit parse_digit(const std::string& line, const std::string& where) {
  std::istringstream fields(line);
  std::array<int, kDigitsPixels + 1> values{};
  for (int& value : values) {
    std::string field;
    if (!std::getline(fields, field, ',')) throw std::runtime_error(where + ": too few columns");
    value = std::stoi(field);
    if (value < 0 || value > 16) throw std::runtime_error(where + ": a value outside 0 … 16");
  }
  if (values.back() > 9) throw std::runtime_error(where + ": a label outside 0 … 9");
  Digit digit;
  for (std::size_t i = 0; i < kDigitsPixels; ++i) {
    digit.pixels[i] = static_cast<std::int16_t>(values[i]);
  }
  digit.label = static_cast<std::uint16_t>(values.back());
  return digit;
}

}  // namespace internal

/// All rows in the file's order. Throws std::runtime_error if the file is missing or not the one
/// described above.
inline std::vector<Digit> load_digits(const std::string& path = digits_path()) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path + " (run tools/deps/fetch)");
  std::vector<Digit> digits;
  for (std::string line; std::getline(file, line);) {
    const std::string where = path + ":" + std::to_string(digits.size() + 1);
    digits.push_back(internal::parse_digit(line, where));
  }
  if (digits.size() != kDigitsCount) throw std::runtime_error(path + ": not 1,797 rows");
  return digits;
}

/// A pseudo-random `test_percent` of the digits for testing, the rest for training.
inline DigitsSplit split_digits(const std::vector<Digit>& digits, std::uint32_t seed,
                                std::uint32_t test_percent = 20) {
  const Permutation order(static_cast<std::uint32_t>(digits.size()), seed);
  const auto test_count = static_cast<std::uint32_t>(digits.size() * test_percent / 100);
  DigitsSplit split;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    (i < test_count ? split.test : split.training).push_back(digits[order(i)]);
  }
  return split;
}

}  // namespace skep::learn_testing
