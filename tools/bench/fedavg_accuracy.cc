// skep-bench-accuracy: Skep round by round beside federated averaging in float32.
//
// Both learn the demo's digits, split the same way, from the same first weights, in the same order
// of samples and at the same rate. Skep runs as it is: skepd and its devices, over DTLS. The peer
// (McMahan et al. 2017, algorithm 1) sends every weight in float32, unclipped and uncompressed.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "programs.h"
#include "skep/core/permutation.h"
#include "skep/core/prng.h"
#include "skep/demo/digits_data.h"
#include "skep/demo/federation.h"
#include "skep/learn/engine.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/float_mlp.h"
#include "skep/learn_testing/specs.h"

namespace skep::bench {
namespace {

using namespace std::chrono_literals;
using demo::Digit;
using learn_testing::FloatMlp;
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

// ---- float32

// The first model of `skepctl init --seed`, as a float network.
FloatMlp initial_model(std::uint32_t seed) {
  const ModelSpec spec = learn_testing::mlp_spec({64, 32, 10}, learn_testing::kDigitsInputExponent);
  const learn::MemoryPlan plan = *learn::plan_memory(spec);
  std::vector<std::uint64_t> memory(plan.inference_bytes / 8 + 1);
  Result<learn::Engine> engine = learn::Engine::create(spec, learn::Purpose::kInference,
                                                       std::as_writable_bytes(std::span(memory)));
  std::vector<std::uint8_t> blob(plan.weights_blob_bytes);
  if (!engine.ok() || engine->initialize(seed) != Status::kOk ||
      engine->store(blob) != Status::kOk) {
    throw std::logic_error("the digits model does not run");
  }
  const std::vector<std::size_t> widths{64, 32, 10};
  FloatMlp model(widths);
  learn_testing::load_weights_blob(model, blob);
  return model;
}

std::vector<float> pixels_of(const Digit& digit) {
  std::vector<float> pixels;
  for (const std::int16_t pixel : digit.pixels) pixels.push_back(static_cast<float>(pixel) / 16.0F);
  return pixels;
}

// The epochs of LocalRound: the same samples in the same order.
FloatMlp train_locally(FloatMlp model, const std::vector<Digit>& samples,
                       const demo::RoundRecipe& recipe, std::uint32_t round_seed) {
  const float rate = static_cast<float>(recipe.learning_rate_mantissa) /
                     static_cast<float>(1U << recipe.learning_rate_shift);
  for (std::uint32_t epoch = 0; epoch < recipe.local_epochs; ++epoch) {
    const Permutation order(static_cast<std::uint32_t>(samples.size()),
                            mix_seed(round_seed, epoch));
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      const Digit& digit = samples[order(i)];
      model.train_step(pixels_of(digit), digit.label, rate);
    }
  }
  return model;
}

// A model's weights in one row, and back.
std::vector<float*> weights_of(FloatMlp& model) {
  std::vector<float*> weights;
  for (FloatMlp::Layer& layer : model.layers()) {
    for (float& weight : layer.weights) weights.push_back(&weight);
    for (float& bias : layer.biases) weights.push_back(&bias);
  }
  return weights;
}

FloatMlp average_of_round(const FloatMlp& base, const demo::FederatedDigits& digits,
                          const Options& options, std::uint32_t round) {
  FloatMlp average = base;
  const std::vector<float*> target = weights_of(average);
  std::vector<double> sums(target.size());
  double samples = 0;
  for (std::uint32_t i = 0; i < digits.devices.size(); ++i) {
    // As the demo gives skep-device its --training-seed, and Device each round its own.
    const std::uint32_t seed = mix_seed(mix_seed(options.seed, i), round);
    FloatMlp local = train_locally(base, digits.devices[i], options.recipe, seed);
    const auto count = static_cast<double>(digits.devices[i].size());
    const std::vector<float*> weights = weights_of(local);
    for (std::size_t w = 0; w < sums.size(); ++w) sums[w] += count * double{*weights[w]};
    samples += count;
  }
  for (std::size_t w = 0; w < sums.size(); ++w) *target[w] = static_cast<float>(sums[w] / samples);
  return average;
}

double accuracy_of(FloatMlp& model, const std::vector<Digit>& held_out) {
  std::size_t correct = 0;
  for (const Digit& digit : held_out) {
    model.forward(pixels_of(digit));
    correct += model.predicted_class() == digit.label ? 1 : 0;
  }
  return static_cast<double>(correct) / static_cast<double>(held_out.size());
}

std::vector<double> float_curve(const demo::FederatedDigits& digits, const Options& options) {
  std::vector<double> curve;
  FloatMlp model = initial_model(options.seed);
  for (std::uint32_t round = 1; round <= options.recipe.max_rounds; ++round) {
    model = average_of_round(model, digits, options, round);
    curve.push_back(accuracy_of(model, digits.held_out));
  }
  return curve;
}

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
std::vector<double> skep_curve(const demo::FederatedDigits& digits, const Options& options) {
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
  app.add_option("--keep-permille", options.recipe.keep_permille, "Skep's; float32 sends all")
      ->capture_default_str();
  app.add_option("--value-bits", options.recipe.value_bits, "Skep's")->capture_default_str();
  app.add_option("--patience-s", options.patience_s, "Give up after this long")
      ->capture_default_str();
  app.add_option("--format", format)->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  try {
    const demo::FederatedDigits digits =
        demo::split(learn_testing::load_digits(options.data), options.devices,
                    options.dirichlet_alpha, options.seed);
    const Curves curves{.float32 = float_curve(digits, options),
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
