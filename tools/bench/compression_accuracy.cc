// skep-bench-compression: what each way to compress an update costs in bytes and in accuracy.
//
// The digits, split, first weights, order of samples and rate of the demo; the device's and the
// gateway's real code in one process; beside federated averaging in float32 on the same.

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "float_fedavg.h"
#include "in_process_federation.h"
#include "skep/learn_testing/digits.h"

namespace skep::bench {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLastRounds = 10;  // one digit of 359 is 0.28 points: a mean says more

struct Options {
  std::filesystem::path data = learn_testing::digits_path();
  std::uint32_t devices = 20;
  std::uint32_t rounds = 45;
  std::uint32_t seeds = 5;
  double dirichlet_alpha = 0.5;
  std::string only;
  // The demo's, with room for what error feedback adds to a delta and random-K's d / K to its norm.
  demo::RoundRecipe recipe{.clip_norm = 32.0};
};

struct Scheme {
  const char* name;
  Compression compression;
};

constexpr Scheme kSchemes[] = {
    {"int8 stochastic, dense", {CompressionMode::kInt8, 0, 0}},
    {"EDEN, 1 bit", {CompressionMode::kEden, 0, 0}},
    {"top-K 10 %, 16 bits", {CompressionMode::kTopK, 100, 16}},
    {"top-K 10 %, 8 bits", {CompressionMode::kTopK, 100, 8}},
    {"top-K 5 %, 16 bits", {CompressionMode::kTopK, 50, 16}},
    {"ternary (STC) 10 %", {CompressionMode::kTernary, 100, 0}},
    {"ternary (STC) 5 %", {CompressionMode::kTernary, 50, 0}},
    {"ternary (STC) 2 %", {CompressionMode::kTernary, 20, 0}},
    {"random-K 10 %, 16 bits", {CompressionMode::kRandomK, 100, 16}},
};

/// One scheme over all seeds; accuracies in %.
struct Row {
  std::string name;
  double delta_bytes = 0;
  double sealed_bytes = 0;
  std::vector<double> final_accuracies{};  // after the last round
  std::vector<double> late_accuracies{};   // mean of the last kLastRounds
};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Of the sample; 0 of one value.
double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  double squares = 0;
  for (const double value : values) squares += std::pow(value - mean(values), 2);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

void add_curve(Row& row, const std::vector<double>& curve) {
  const std::size_t late = std::min(kLastRounds, curve.size());
  row.final_accuracies.push_back(100 * curve.back());
  row.late_accuracies.push_back(
      100 * mean({curve.end() - static_cast<std::ptrdiff_t>(late), curve.end()}));
}

demo::FederatedData split_of(const Options& options, std::uint32_t seed) {
  return demo::split(learn_testing::load_digits(options.data), options.devices,
                     options.dirichlet_alpha, seed);
}

Row run_float(const Options& options) {
  Row row;
  row.name = "float32, uncompressed";
  row.delta_bytes = 2410 * sizeof(float);
  for (std::uint32_t seed = 1; seed <= options.seeds; ++seed) {
    add_curve(row, float_fedavg_curve(split_of(options, seed), options.recipe, seed));
  }
  return row;
}

Row run_scheme(const Options& options, const Scheme& scheme) {
  Row row;
  row.name = scheme.name;
  const double updates = double(options.seeds) * options.rounds;
  for (std::uint32_t seed = 1; seed <= options.seeds; ++seed) {
    const demo::FederatedData digits = split_of(options, seed);
    InProcessFederation federation(digits, options.recipe, scheme.compression, seed);
    std::vector<double> curve;
    for (std::uint32_t round = 0; round < options.rounds; ++round) {
      const RoundFigures figures = federation.run_round();
      curve.push_back(figures.accuracy);
      row.delta_bytes += figures.delta_bytes / updates;
      row.sealed_bytes += figures.sealed_bytes / updates;
    }
    add_curve(row, curve);
  }
  return row;
}

void print(const Row& row, const Row& peer) {
  std::printf("%-24s %8.1f %8.1f   %6.2f ± %4.2f   %6.2f ± %4.2f   %+6.2f\n", row.name.c_str(),
              row.delta_bytes, row.sealed_bytes, mean(row.final_accuracies),
              deviation(row.final_accuracies), mean(row.late_accuracies),
              deviation(row.late_accuracies),
              mean(row.late_accuracies) - mean(peer.late_accuracies));
  std::fflush(stdout);
}

ordered_json to_json(const Row& row) {
  return {{"scheme", row.name},
          {"delta_bytes", row.delta_bytes},
          {"sealed_bytes", row.sealed_bytes},
          {"final_accuracies", row.final_accuracies},
          {"late_accuracies", row.late_accuracies}};
}

int run(int argc, char** argv) {
  Options options;
  std::string format = "text";
  CLI::App app("Accuracy per byte: every compression beside float32 federated averaging.",
               "skep-bench-compression");
  app.add_option("--data", options.data, "digits.csv (tools/deps/fetch)")->capture_default_str();
  app.add_option("--devices", options.devices)->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--seeds", options.seeds, "Splits, first weights and orders: seeds 1, 2 …")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--alpha", options.dirichlet_alpha, "How evenly the digits are spread")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  app.add_option("--clip-norm", options.recipe.clip_norm)->capture_default_str();
  app.add_option("--only", options.only, "Schemes whose name contains this");
  app.add_option("--format", format)->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  options.recipe.max_rounds = options.rounds;

  try {
    const bool is_text = format == "text";
    ordered_json document = ordered_json::array();
    if (is_text) {
      std::printf(
          "accuracy in %%, mean and deviation of %u seeds: after round %u, mean of the last "
          "%zu rounds, less float32's\n%-24s %8s %8s\n",
          options.seeds, options.rounds, kLastRounds, "scheme", "B/delta", "B/sealed");
    }
    const Row peer = run_float(options);
    const auto report = [&](const Row& row) {
      if (is_text) print(row, peer);
      document.push_back(to_json(row));
    };
    report(peer);
    for (const Scheme& scheme : kSchemes) {
      if (std::string(scheme.name).find(options.only) == std::string::npos) continue;
      report(run_scheme(options, scheme));
    }
    if (!is_text) std::printf("%s\n", document.dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-bench-compression: error: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) { return skep::bench::run(argc, argv); }
