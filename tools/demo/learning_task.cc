#include "skep/demo/learning_task.h"

#include <stdexcept>
#include <utility>

#include "machine_task.h"
#include "skep/exchange/model_text.h"
#include "skep/learn_testing/benchmark_models.h"
#include "skep/learn_testing/images.h"

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

// 28 x 28 images of clothes, two convolutions. A small share of the set: this is to be watched.
LearningTask fashion(const std::filesystem::path& data) {
  constexpr std::size_t kTraining = 4000;
  constexpr std::size_t kHeldOut = 800;
  learn_testing::Split split = learn_testing::load_fashion_mnist(data / "fashion-mnist");
  split.training.resize(kTraining);
  split.test.resize(kHeldOut);
  LearningTask task;
  task.spec = learn_testing::image_cnn(learn_testing::kImageInputExponent);
  task.model = {
      .name = "fashion", .options = {}, .spec_text = exchange::format_model_text(task.spec)};
  task.training = std::move(split.training);
  task.held_out = std::move(split.test);
  task.recipe.max_rounds = 20;
  task.recipe.learning_rate_mantissa = 1;
  task.recipe.learning_rate_shift = 6;
  task.recipe.local_epochs = 2;
  task.central_epochs = 5;
  task.central_rate = {1, 6};
  // Its training takes 63 KB, and what is made of it 24 KB more.
  task.device_options = {"--workspace-kib", "128"};
  return task;
}

}  // namespace

const std::vector<std::string>& task_names() {
  static const std::vector<std::string> kNames{"digits", "fashion", "anomaly"};
  return kNames;
}

LearningTask load_task(const std::string& name, const std::filesystem::path& data,
                       std::uint32_t seed) {
  if (name == "digits") return digits(data, seed);
  if (name == "fashion") return fashion(data);
  if (name == "anomaly") return machine_task(data, seed);
  throw std::invalid_argument("there is no task '" + name + "'");
}

}  // namespace skep::demo
