// skep-nab: how a device finds the anomalies of three series of the Numenta Anomaly Benchmark.
//
// Prints one JSON document: the alarms that the detector raised, and how many labelled windows and
// how much else they hit. tests/anomaly/nab_score.py gives NAB's score for them.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "skep/anomaly/autoencoder.h"
#include "skep/anomaly/nab_series.h"
#include "skep/anomaly/stream_detector.h"
#include "skep/learn/memory_plan.h"

namespace skep::anomaly {
namespace {

using nlohmann::ordered_json;

const std::vector<std::string> kSeries = {"machine_temperature_system_failure",
                                          "ambient_temperature_system_failure",
                                          "cpu_utilization_asg_misconfiguration"};

struct Options {
  std::filesystem::path data;
  std::uint32_t seed = 1;
  bool in_float = false;
};

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app("Finds the anomalies of NAB's series as a device does, one reading at a time.");
  app.add_option("--data", options.data, "Folder with NAB's CSV files and combined_windows.json")
      ->required();
  app.add_option("--seed", options.seed, "Of first weights, roundings and samples")
      ->capture_default_str();
  app.add_flag("--float", options.in_float, "The same in float32, to compare with");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

// Rows whose readings began an alarm. In the probationary period none is counted.
std::vector<std::size_t> alarms_of(const NabSeries& series, Autoencoder& model,
                                   std::uint32_t seed) {
  StreamDetector detector(model, series.rows_per_hour, seed);
  std::vector<std::size_t> alarms;
  for (std::size_t row = 0; row < series.thousandths.size(); ++row) {
    const auto score = detector.push(series.thousandths[row]);
    const bool is_alarm = score.has_value() && score->begins_alarm;
    if (is_alarm && row >= series.probation_rows()) alarms.push_back(row);
  }
  return alarms;
}

ordered_json report_of(const NabSeries& series, const std::vector<std::size_t>& alarms) {
  const auto hits = [&](const LabelledWindow& window) {
    return std::ranges::count_if(
        alarms, [&](std::size_t row) { return row >= window.first && row <= window.last; });
  };
  std::size_t found = 0;
  std::size_t in_windows = 0;
  for (const LabelledWindow& window : series.windows) {
    found += hits(window) != 0 ? 1U : 0U;
    in_windows += static_cast<std::size_t>(hits(window));
  }
  ordered_json list = ordered_json::array();
  for (const std::size_t row : alarms) {
    list.push_back({{"row", row}, {"timestamp", series.timestamps[row]}});
  }
  return {{"name", series.name},
          {"rows", series.timestamps.size()},
          {"windows", series.windows.size()},
          {"windows_found", found},
          {"false_alarms", alarms.size() - in_windows},
          {"alarms", list}};
}

ordered_json run(const Options& options) {
  const ModelSpec spec =
      autoencoder_spec(StreamDetector::kFrames, StreamDetector::kFeatureExponent);
  const Result<learn::MemoryPlan> plan = learn::plan_memory(spec);
  if (!plan.ok()) throw std::runtime_error(std::string("model: ") + to_string(plan.status()));
  ordered_json reports = ordered_json::array();
  for (const std::string& name : kSeries) {
    const NabSeries series = load_nab_series(options.data, name);
    const auto model = options.in_float ? make_float_autoencoder(spec, options.seed)
                                        : make_integer_autoencoder(spec, options.seed);
    reports.push_back(report_of(series, alarms_of(series, *model, options.seed)));
  }
  return {{"arithmetic", options.in_float ? "float32" : "integer"},
          {"seed", options.seed},
          {"model_bytes", plan->training_bytes},
          {"detector_bytes", sizeof(StreamDetector)},
          {"series", reports}};
}

}  // namespace
}  // namespace skep::anomaly

int main(int argc, char** argv) {
  const skep::anomaly::Options options = skep::anomaly::parse(argc, argv);
  try {
    std::puts(skep::anomaly::run(options).dump(2).c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-nab: %s\n", error.what());
    return 1;
  }
  return 0;
}
