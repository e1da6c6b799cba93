#include "skep/port_host/csv_samples.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string_view>

namespace skep::port_host {
namespace {

// Where in the file the parser is, for its errors.
struct Position {
  const std::string& path;
  std::size_t row;
  std::size_t column;
};

[[noreturn]] void fail(const Position& at, const std::string& reason) {
  throw std::runtime_error(at.path + ": row " + std::to_string(at.row) + ", column " +
                           std::to_string(at.column) + ": " + reason);
}

template <typename Integer>
Integer parse(const Position& at, std::string_view field, const char* what) {
  constexpr auto kMin = std::numeric_limits<Integer>::min();
  constexpr auto kMax = std::numeric_limits<Integer>::max();
  Integer value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size()) {
    fail(at, std::string(what) + " must be an integer from " + std::to_string(kMin) + " to " +
                 std::to_string(kMax) + ", not \"" + std::string(field.substr(0, 40)) + "\"");
  }
  return value;
}

}  // namespace

CsvSamples::CsvSamples(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be opened");
  std::string line;
  for (std::size_t row = 1; std::getline(file, line); ++row) {
    std::string_view rest = line;
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    add_row(path, row, rest);
  }
  if (file.bad()) throw std::runtime_error(path + ": cannot be read");
  if (labels_.empty()) throw std::runtime_error(path + ": holds no sample");
}

void CsvSamples::add_row(const std::string& path, std::size_t row, std::string_view line) {
  const auto columns = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
  if (columns < 2) {
    fail({path, row, 1}, "a row is at least one feature and the label, separated by commas");
  }
  if (row > 1 && columns != feature_count_ + 1) {
    fail({path, row, std::min(columns, feature_count_ + 1)},
         "the row has " + std::to_string(columns) + " columns, the first one has " +
             std::to_string(feature_count_ + 1));
  }
  feature_count_ = columns - 1;
  for (std::size_t column = 1; column < columns; ++column) {
    const std::size_t comma = line.find(',');
    features_.push_back(
        parse<std::int16_t>({path, row, column}, line.substr(0, comma), "a feature"));
    line.remove_prefix(comma + 1);
  }
  labels_.push_back(parse<std::uint16_t>({path, row, columns}, line, "the label"));
}

Status CsvSamples::read(std::uint32_t index, std::span<std::int16_t> features,
                        std::uint16_t& label) {
  if (index >= labels_.size() || features.size() != feature_count_) {
    return Status::kInvalidArgument;
  }
  const auto* const sample = &features_[index * feature_count_];
  std::copy(sample, sample + feature_count_, features.begin());
  label = labels_[index];
  return Status::kOk;
}

}  // namespace skep::port_host
