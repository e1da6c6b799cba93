// skep-bench-accuracy: Skep round by round beside federated averaging in float32.
//
// Both learn the demo's digits, split the same way, from the same first weights, in the same order
// of samples and at the same rate. Skep runs as it is: skepd and its devices, over DTLS. The peer
// (McMahan et al. 2017, algorithm 1) sends every weight in float32, unclipped and uncompressed.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "float_fedavg.h"
#include "programs.h"
#include "skep/compression.h"
#include "skep/core/prng.h"
#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"

namespace skep::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::ordered_json;

struct Options {
  std::filesystem::path programs = own_folder();
  std::filesystem::path data = learn_testing::digits_path();
  std::uint32_t devices = 20;
  std::uint32_t seed = 1;
  double dirichlet_alpha = 0.5;
  std::uint32_t patience_s = 600;
  demo::RoundRecipe recipe;
};

// Accuracies on the held-out digits, 0 … 1, after round 1, 2 …
struct Curves {
  std::vector<double> float32;
  std::vector<double> skep;
};

// ---- Skep

ordered_json finished_rounds(demo::Federation& federation, const Options& options) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(options.patience_s);
  while (true) {
    federation.check_alive();
    const ordered_json status = federation.operate({"round", "status"});
    if (status.at("state") == "idle") return status.at("rounds");
    if (std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error("the rounds did not end in " + std::to_string(options.patience_s) +
                               " s");
    }
    std::this_thread::sleep_for(200ms);
  }
}

// The released model's accuracy: a refused candidate leaves it as it was.
std::vector<double> skep_curve(const demo::FederatedData& digits, const Options& options) {
  const process::TemporaryDirectory directory;
  const std::filesystem::path held_out = directory.path() / "held-out.csv";
  demo::write_csv(held_out, digits.held_out);
  demo::RoundRecipe recipe = options.recipe;
  recipe.quorum = options.devices;
  demo::Federation federation(options.programs, directory.path() / "federation", recipe, held_out,
                              options.seed);
  for (std::uint32_t i = 0; i < digits.devices.size(); ++i) {
    const std::string name = "device-" + std::to_string(i + 1);
    demo::write_csv(directory.path() / (name + ".csv"), digits.devices[i]);
    federation.enrol(name);
  }
  federation.start_gateway();
  for (std::uint32_t i = 0; i < digits.devices.size(); ++i) {
    const std::string name = "device-" + std::to_string(i + 1);
    federation.start_device(name, directory.path() / (name + ".csv"), mix_seed(options.seed, i));
  }
  std::vector<double> curve;
  for (const auto& round : finished_rounds(federation, options)) {
    const bool released = round.at("outcome") == "released";
    if (!released && curve.empty()) throw std::runtime_error("the first round was not released");
    curve.push_back(released ? round.at("accuracy").get<double>() : curve.back());
  }
  federation.stop_devices();
  federation.stop_gateway();
  return curve;
}

// ---- output

std::string to_text(const Curves& curves) {
  std::string text = "round  float32 FedAvg %  Skep %\n";
  char line[64];
  for (std::size_t i = 0; i < curves.float32.size() && i < curves.skep.size(); ++i) {
    std::snprintf(line, sizeof(line), "%5zu  %16.2f  %6.2f\n", i + 1, 100 * curves.float32[i],
                  100 * curves.skep[i]);
    text += line;
  }
  return text;
}

std::string to_json(const Curves& curves, const Options& options) {
  const ordered_json document{{"devices", options.devices},
                              {"seed", options.seed},
                              {"dirichlet_alpha", options.dirichlet_alpha},
                              {"float32_fedavg", curves.float32},
                              {"skep", curves.skep}};
  return document.dump(2) + "\n";
}

int run(int argc, char** argv) {
  Options options;
  std::string format = "text";
  CLI::App app("Accuracy per round: Skep beside float32 federated averaging.",
               "skep-bench-accuracy");
  app.add_option("--bin-dir", options.programs, "Folder of skepd, skepctl and skep-device")
      ->capture_default_str();
  app.add_option("--data", options.data, "digits.csv (tools/deps/fetch)")->capture_default_str();
  app.add_option("--devices", options.devices)->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--rounds", options.recipe.max_rounds)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed)->check(CLI::Range(1U, UINT32_MAX))->capture_default_str();
  app.add_option("--alpha", options.dirichlet_alpha, "How evenly the digits are spread")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  app.add_option("--compression", options.recipe.compression, "Skep's; float32 sends all")
      ->check(CLI::IsMember(kCompressionNames))
      ->capture_default_str();
  app.add_option("--keep-permille", options.recipe.keep_permille, "Skep's; float32 sends all")
      ->capture_default_str();
  app.add_option("--value-bits", options.recipe.value_bits, "Skep's")->capture_default_str();
  app.add_option("--patience-s", options.patience_s, "Give up after this long")
      ->capture_default_str();
  app.add_option("--format", format)->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  try {
    const demo::FederatedData digits =
        demo::split(learn_testing::load_digits(options.data), options.devices,
                    options.dirichlet_alpha, options.seed);
    const Curves curves{.float32 = float_fedavg_curve(digits, options.recipe, options.seed),
                        .skep = skep_curve(digits, options)};
    std::fputs((format == "json" ? to_json(curves, options) : to_text(curves)).c_str(), stdout);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-bench-accuracy: error: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) { return skep::bench::run(argc, argv); }
