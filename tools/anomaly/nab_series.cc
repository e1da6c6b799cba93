#include "skep/anomaly/nab_series.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "skep/observe/reading.h"

namespace skep::anomaly {
namespace {

constexpr std::size_t kTimestampChars = 19;  // 2013-12-02 21:15:00

std::ifstream open(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("cannot open " + path.string() + " (run tools/deps/fetch nab)");
  return file;
}

std::int32_t parse_thousandths(const std::string& text, const std::string& where) {
  std::size_t used = 0;
  double value = NAN;
  try {
    value = std::stod(text, &used);
  } catch (const std::logic_error&) {
    used = std::string::npos;
  }
  if (used != text.size() || !std::isfinite(value)) {
    throw std::runtime_error(where + ": \"" + text + "\", expected a number");
  }
  const double thousandths = std::round(value * 1000);
  if (thousandths < observe::kMinReading || thousandths > observe::kMaxReading) {
    throw std::runtime_error(where + ": " + text + " is outside of ±8388");
  }
  return static_cast<std::int32_t>(thousandths);
}

void read_rows(const std::filesystem::path& path, NabSeries& series) {
  std::ifstream file = open(path);
  std::string line;
  if (!std::getline(file, line) || line.rfind("timestamp,value", 0) != 0) {
    throw std::runtime_error(path.string() + ":1: expected \"timestamp,value\"");
  }
  while (std::getline(file, line)) {
    const std::string where = path.string() + ":" + std::to_string(series.timestamps.size() + 2);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.size() <= kTimestampChars + 1 || line[kTimestampChars] != ',') {
      throw std::runtime_error(where + ": expected a time of 19 characters, a comma, a number");
    }
    series.timestamps.push_back(line.substr(0, kTimestampChars));
    series.thousandths.push_back(parse_thousandths(line.substr(kTimestampChars + 1), where));
  }
}

// −1 if it is not one.
int minute_of_day(const std::string& timestamp) {
  int hour = -1;
  int minute = -1;
  const std::string time = timestamp.substr(11);
  if (std::sscanf(time.c_str(), "%2d:%2d:", &hour, &minute) != 2) return -1;
  return hour * 60 + minute;
}

std::uint8_t rows_per_hour(const std::filesystem::path& path, const NabSeries& series) {
  int minutes = 0;
  if (series.timestamps.size() >= 2) {
    const int first = minute_of_day(series.timestamps[0]);
    const int second = minute_of_day(series.timestamps[1]);
    minutes = first < 0 || second < 0 ? 0 : second - first;
  }
  if (minutes < 1 || minutes > 60) {
    throw std::runtime_error(path.string() + ": rows 1 and 2 are not one to sixty minutes apart");
  }
  return static_cast<std::uint8_t>(60 / minutes);
}

std::size_t row_of(const NabSeries& series, const std::string& time) {
  const auto found = std::ranges::find(series.timestamps, time.substr(0, kTimestampChars));
  if (found == series.timestamps.end()) {
    throw std::runtime_error(series.name + ": no row has the time " + time + " of a window");
  }
  return static_cast<std::size_t>(found - series.timestamps.begin());
}

void read_windows(const std::filesystem::path& path, NabSeries& series) {
  std::ifstream file = open(path);
  const std::string suffix = "/" + series.name + ".csv";
  try {
    const nlohmann::json labels = nlohmann::json::parse(file);
    for (const auto& [key, windows] : labels.items()) {
      if (!key.ends_with(suffix)) continue;
      for (const auto& window : windows) {
        series.windows.push_back({row_of(series, window.at(0).get<std::string>()),
                                  row_of(series, window.at(1).get<std::string>())});
      }
    }
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(path.string() + ": " + error.what());
  }
}

}  // namespace

std::size_t NabSeries::probation_rows() const {
  return std::min<std::size_t>(timestamps.size() * 15 / 100, 750);
}

NabSeries load_nab_series(const std::filesystem::path& folder, const std::string& name) {
  NabSeries series;
  series.name = name;
  const std::filesystem::path path = folder / (name + ".csv");
  read_rows(path, series);
  series.rows_per_hour = rows_per_hour(path, series);
  read_windows(folder / "combined_windows.json", series);
  return series;
}

}  // namespace skep::anomaly
