#include "skep/demo/learning_task.h"

#include <stdexcept>
#include <utility>

#include "machine_task.h"
#include "skep/learn_testing/benchmark_models.h"

namespace skep::demo {
namespace {

// 1,797 handwritten digits, MLP 64-32-10.
LearningTask digits(const std::filesystem::path& data, std::uint32_t seed) {
  learn_testing::Split split =
      learn_testing::split_samples(learn_testing::load_digits(data / "digits.csv"), seed);
  LearningTask task;
  task.spec = learn_testing::digits_mlp(learn_testing::kDigitsInputExponent);
  task.model = {"digits",
                {"--inputs", "64", "--input-exponent=-4", "--layers", "dense:32,relu,dense:10"}};
  task.training = std::move(split.training);
  task.held_out = std::move(split.test);
  task.central_epochs = 20;
  task.central_rate = {3, 6};
  return task;
}

}  // namespace

const std::vector<std::string>& task_names() {
  static const std::vector<std::string> names{"digits", "anomaly"};
  return names;
}

LearningTask load_task(const std::string& name, const std::filesystem::path& data,
                       std::uint32_t seed) {
  if (name == "digits") return digits(data, seed);
  if (name == "anomaly") return machine_task(data, seed);
  throw std::invalid_argument("there is no task '" + name + "'");
}

}  // namespace skep::demo
