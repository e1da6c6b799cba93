// The Numenta Anomaly Benchmark's series and labels (Lavin and Ahmad, "Evaluating Real-Time Anomaly
// Detection Algorithms", ICMLA 2015). tools/deps/fetch puts them into the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace skep::anomaly {

/// First and last row in which an anomaly is to be found.
struct LabelledWindow {
  std::size_t first;
  std::size_t last;
};

struct NabSeries {
  std::string name;
  std::vector<std::string> timestamps;
  std::vector<std::int32_t> thousandths;  ///< Of the series' unit, rounded to nearest.
  std::vector<LabelledWindow> windows;
  std::uint8_t rows_per_hour = 0;

  /// Rows at the start in which NAB counts nothing: 15 %, of 5,000 rows at most.
  [[nodiscard]] std::size_t probation_rows() const;
};

/// Reads `<folder>/<name>.csv` and the series' windows of `<folder>/combined_windows.json`.
///
/// Throws std::runtime_error whose text names file and row and what was expected, if a file cannot
/// be read, a row is not a time and a finite number whose thousandths are a reading, times are less
/// than a minute or more than an hour apart at the start, or a window's end is not a row's time.
NabSeries load_nab_series(const std::filesystem::path& folder, const std::string& name);

}  // namespace skep::anomaly
