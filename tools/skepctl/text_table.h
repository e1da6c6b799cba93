// Columns as wide as their widest cell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace skep::skepctl {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

  /// As many cells as the header has.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// Two blanks between columns, none at the end of a line; each line ends with a newline.
  [[nodiscard]] std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "2024-05-01 12:30:00 UTC", or "-" for 0.
std::string format_time(std::int64_t unix_s);

/// 1234 of 1300 → "94.92 %", or "-" if `total` is 0.
std::string format_share(std::uint64_t part, std::uint64_t total);

}  // namespace skep::skepctl
