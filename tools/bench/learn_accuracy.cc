// skep-bench-learn-accuracy: what integers cost in accuracy.
//
// Each model is trained twice, by the SDK's engine and in float32: from the same first weights, on
// the same samples in the same order, at the same rates. Mean and deviation over some seeds, which
// change first weights, order and (where a set has no split of its own) what is held out.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "skep/core/prng.h"
#include "skep/learn_testing/benchmark_models.h"
#include "skep/learn_testing/digits.h"
#include "skep/learn_testing/images.h"
#include "skep/learn_testing/training.h"

namespace skep::bench {
namespace {

using learn_testing::Sample;
using learn_testing::Split;
using nlohmann::ordered_json;

struct Options {
  std::filesystem::path data = learn_testing::data_folder();
  std::uint32_t seeds = 5;
  std::vector<std::string> only;
};

// The rate of the first epoch, and whether each further one has half of the one before: at batch 1
// the noise of a constant rate hides what a few of Fashion-MNIST's epochs can reach.
struct Schedule {
  learn::LearningRate first;
  bool halves = false;

  [[nodiscard]] learn::LearningRate of(std::uint32_t epoch) const {
    learn::LearningRate rate = first;
    if (halves) rate.shift = static_cast<std::uint8_t>(rate.shift + epoch);
    return rate;
  }
};

struct Experiment {
  std::string name;
  ModelSpec spec;
  learn::Optimizer optimizer;
  Schedule rate;
  std::uint32_t epochs;
  std::function<Split(std::uint32_t seed)> data;
};

// Accuracy in percent, one a seed.
struct Accuracies {
  std::vector<double> integers;
  std::vector<double> float32;
};

Accuracies run(const Experiment& experiment, std::uint32_t seeds) {
  Accuracies accuracies;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    const Split split = experiment.data(seed);
    learn_testing::OwnedEngine engine(experiment.spec, learn::Purpose::kTraining,
                                      experiment.optimizer);
    if (engine->initialize(seed) != Status::kOk) throw std::logic_error("initialize");
    learn_testing::OwnedReferenceNetwork<float> network(
        experiment.spec, engine.weights(),
        learn_testing::reference_optimizer<float>(experiment.optimizer));
    const auto accuracy_after_training = [&](auto& model) {
      for (std::uint32_t epoch = 0; epoch < experiment.epochs; ++epoch) {
        learn_testing::train(model, split.training, mix_seed(seed, epoch), 1,
                             experiment.rate.of(epoch));
      }
      return 100 * learn_testing::accuracy_of(model, split.test);
    };
    std::future<double> float32 =
        std::async(std::launch::async, [&] { return accuracy_after_training(*network); });
    accuracies.integers.push_back(accuracy_after_training(*engine));
    accuracies.float32.push_back(float32.get());
    std::fprintf(stderr, "%s, seed %u: integers %.2f %%, float32 %.2f %%\n",
                 experiment.name.c_str(), seed, accuracies.integers.back(),
                 accuracies.float32.back());
  }
  return accuracies;
}

std::vector<Experiment> experiments(const Options& options) {
  const auto digits = [&options](std::uint32_t seed) {
    return learn_testing::split_samples(learn_testing::load_digits(options.data / "digits.csv"),
                                        seed);
  };
  const auto mnist = [&options](std::uint32_t seed) {
    return learn_testing::split_samples(learn_testing::load_mnist(options.data / "mnist"), seed);
  };
  const auto fashion = [&options](std::uint32_t) {
    return learn_testing::load_fashion_mnist(options.data / "fashion-mnist");
  };
  constexpr learn::Optimizer kMomentum{.momentum_q15 = 29'491};  // 0.9
  const ModelSpec digits_mlp = learn_testing::digits_mlp(learn_testing::kDigitsInputExponent);
  const ModelSpec image_mlp = learn_testing::image_mlp(learn_testing::kImageInputExponent);
  const ModelSpec image_cnn = learn_testing::image_cnn(learn_testing::kImageInputExponent);
  return {{"digits_mlp_64_32_10", digits_mlp, {}, {{3, 6}}, 20, digits},
          {"digits_mlp_64_32_10_momentum", digits_mlp, kMomentum, {{3, 9}}, 20, digits},
          {"mnist_mlp_784_64_10", image_mlp, {}, {{1, 6}}, 10, mnist},
          {"fashion_mlp_784_64_10", image_mlp, {}, {{1, 7}, true}, 6, fashion},
          {"fashion_cnn", image_cnn, {}, {{1, 7}, true}, 4, fashion}};
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Of the sample; 0 for one value.
double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(values.size() - 1, 1)));
}

ordered_json document_of(const Experiment& experiment, const Accuracies& accuracies) {
  const auto of = [](const std::vector<double>& values) {
    return ordered_json{
        {"mean", mean_of(values)}, {"deviation", deviation_of(values)}, {"seeds", values}};
  };
  return {{"parameters", learn::plan_memory(experiment.spec)->parameter_count},
          {"epochs", experiment.epochs},
          {"first_rate", learn_testing::value_of(experiment.rate.first)},
          {"rate_halves", experiment.rate.halves},
          {"momentum", experiment.optimizer.momentum_q15 / 32768.0},
          {"integers_percent", of(accuracies.integers)},
          {"float32_percent", of(accuracies.float32)},
          {"difference_points", mean_of(accuracies.integers) - mean_of(accuracies.float32)}};
}

std::string to_text(const ordered_json& results) {
  std::string text = "accuracy, %                    integers        float32    difference\n";
  for (const auto& [name, result] : results.items()) {
    char line[128];
    std::snprintf(line, sizeof(line), "%-28s %6.2f ± %4.2f  %6.2f ± %4.2f  %+6.2f\n", name.c_str(),
                  result.at("integers_percent").at("mean").get<double>(),
                  result.at("integers_percent").at("deviation").get<double>(),
                  result.at("float32_percent").at("mean").get<double>(),
                  result.at("float32_percent").at("deviation").get<double>(),
                  result.at("difference_points").get<double>());
    text += line;
  }
  return text;
}

int main_of(int argc, char** argv) {
  Options options;
  std::string format = "text";
  CLI::App app("Accuracy: the integer engine beside float32.", "skep-bench-learn-accuracy");
  app.add_option("--data", options.data, "Folder of the data sets (tools/deps/fetch data images)")
      ->capture_default_str();
  app.add_option("--seeds", options.seeds)->check(CLI::Range(1, 100))->capture_default_str();
  app.add_option("--only", options.only, "Names of models; default: all");
  app.add_option("--format", format)->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    ordered_json results = ordered_json::object();
    for (const Experiment& experiment : experiments(options)) {
      const bool wanted = options.only.empty() ||
                          std::find(options.only.begin(), options.only.end(), experiment.name) !=
                              options.only.end();
      if (!wanted) continue;
      results[experiment.name] = document_of(experiment, run(experiment, options.seeds));
    }
    std::fputs((format == "json" ? results.dump(2) + "\n" : to_text(results)).c_str(), stdout);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-bench-learn-accuracy: error: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) { return skep::bench::main_of(argc, argv); }
