#include "scenario.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "skep/core/prng.h"
#include "skep/demo/federated_data.h"
#include "skep/demo/learning_task.h"
#include "skep/demo/released_model.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/training.h"

namespace skep::demo {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kPollInterval = 200ms;
constexpr auto kPatience = 120s;  // without any change

using FloatNetwork = learn_testing::OwnedReferenceNetwork<float>;

// What is lost by not bringing the data together, and by integers: float32 and all samples in one
// place, from the same first weights.
FloatNetwork train_centrally(const LearningTask& task, std::uint32_t seed) {
  FloatNetwork network(task.spec, learn_testing::initial_weights(task.spec, seed));
  learn_testing::train(*network, task.training, seed, task.central_epochs, task.central_rate);
  return network;
}

double float_loss(FloatNetwork& network, const Sample& sample) {
  network->forward(learn_testing::values_of<float>(network->spec(), sample.features));
  return static_cast<double>(network->loss(sample.label));
}

Quality quality_of(FloatNetwork& network, const LearningTask& task) {
  Quality quality;
  for (const Sample& sample : task.held_out) quality.loss += float_loss(network, sample);
  quality.loss /= static_cast<double>(task.held_out.size());
  if (task.has_classes()) quality.accuracy = learn_testing::accuracy_of(*network, task.held_out);
  return quality;
}

std::optional<double> number_or_none(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

// Of the answer of `skepctl model show`.
Quality quality_of(const json& model) {
  const json& evaluation = model.at("evaluation");
  return {evaluation.at("mean_loss"), number_or_none(evaluation.at("accuracy"))};
}

Detection detect(const LearningTask& task, FloatNetwork& network) {
  return detect(task, [&](const Sample& sample) {
    const double loss = std::round(std::ldexp(float_loss(network, sample), 16));
    return static_cast<std::uint32_t>(std::min(loss, static_cast<double>(UINT32_MAX)));
  });
}

Detection detect(const LearningTask& task, Bytes weights) {
  learn_testing::OwnedEngine engine(task.spec, learn::Purpose::kInference);
  if (engine->load(SpanSource(weights)) != Status::kOk) {
    throw std::runtime_error("the released weights are not those of the task's model");
  }
  return detect(task, [&](const Sample& sample) {
    const Result<std::uint32_t> loss = engine->evaluate(sample.features, sample.label);
    if (!loss.ok()) throw std::runtime_error("a sample does not fit the model");
    return *loss;
  });
}

LearningTask task_of(const Options& options) {
  LearningTask task = load_task(options.task, options.data, options.seed);
  const std::size_t all = task.training.size();
  task.training.resize(std::min<std::size_t>(all, options.most_samples.value_or(all)));
  return task;
}

RoundRecipe recipe_of(const LearningTask& task, const Options& options) {
  RoundRecipe recipe = task.recipe;
  recipe.quorum = options.devices;
  recipe.max_rounds = options.rounds.max_rounds.value_or(recipe.max_rounds);
  recipe.local_epochs = options.rounds.local_epochs.value_or(recipe.local_epochs);
  recipe.compression = options.rounds.compression.value_or(recipe.compression);
  recipe.keep_permille = options.rounds.keep_permille.value_or(recipe.keep_permille);
  recipe.value_bits = options.rounds.value_bits.value_or(recipe.value_bits);
  recipe.step_bits = options.rounds.step_bits.value_or(recipe.step_bits);
  recipe.patch_depth = options.rounds.patch_depth.value_or(recipe.patch_depth);
  return recipe;
}

std::string device_name(std::size_t index) {
  return (index < 9 ? "device-0" : "device-") + std::to_string(index + 1);
}

RoundRow row_of(const json& round) {
  RoundRow row;
  row.round = round.at("round");
  row.devices = round.at("received");
  row.bytes_up = round.at("bytes_up");
  row.bytes_down = round.at("bytes_down");
  if (!round.at("mean_loss").is_null()) row.loss = round.at("mean_loss");
  row.accuracy = number_or_none(round.at("accuracy"));
  row.outcome = round.at("outcome");
  return row;
}

// The scenario's state between its steps.
class Scenario {
 public:
  Scenario(const Options& options, const std::filesystem::path& directory, Observer& observer)
      : options_(options),
        directory_(directory),
        observer_(observer),
        task_(task_of(options)),
        recipe_(recipe_of(task_, options)),
        devices_(deal(task_.training, options.devices, options.dirichlet_alpha, options.seed)) {}

  Summary run() {
    prepare();
    learn_together();
    compare_with_float();
    refuse_poison();
    roll_back_bad_release();
    verify_export();
    federation_->stop_devices();
    federation_->stop_gateway();
    return summary_;
  }

 private:
  void prepare() {
    observer_.on_step("making the federation and enrolling " + std::to_string(options_.devices) +
                      " devices");
    const std::filesystem::path held_out = directory_ / "held-out.csv";
    write_csv(held_out, task_.held_out);
    federation_.emplace(options_.programs, directory_ / "federation", recipe_, held_out,
                        options_.seed, task_.model);
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      write_csv(samples(i, "good"), devices_[i]);
      write_csv(samples(i, "poisoned"), poisoned(i));
      federation_->enrol(device_name(i));
    }
    summary_.devices = options_.devices;
    summary_.dense_float_bytes = learn::plan_memory(task_.spec)->parameter_count * 4;
  }

  void learn_together() {
    observer_.on_step("learning: each device trains on its own samples, " +
                      std::to_string(recipe_.max_rounds) + " rounds");
    federation_->start_gateway();
    start_devices("good");
    const json status = wait_for([&](const json& state) { return state.at("state") == "idle"; });
    std::uint64_t bytes_up = 0;
    std::uint64_t updates = 0;
    for (const json& round : status.at("rounds")) {
      bytes_up += round.at("bytes_up").get<std::uint64_t>();
      updates += round.at("received").get<std::uint64_t>();
      ++summary_.rounds;
    }
    summary_.update_bytes = static_cast<double>(bytes_up) / static_cast<double>(updates);
    const json model = federation_->operate({"model", "show"});
    good_version_ = model.at("model_version");
    summary_.model_sha256 = model.at("weights_sha256");
    summary_.final_model = quality_of(model);
  }

  void compare_with_float() {
    observer_.on_step("training float32 on all samples in one place, for comparison");
    FloatNetwork network = train_centrally(task_, options_.seed);
    summary_.float_model = quality_of(network, task_);
    if (task_.has_classes()) return;
    observer_.on_step("looking for the failures with the released model, and with float32");
    summary_.watch = {.failures = task_.failures.size(),
                      .normal_windows = task_.held_out.size(),
                      .ours = detect(task_, released_weights()),
                      .in_float = detect(task_, network)};
  }

  // As whoever deploys the model gets it.
  [[nodiscard]] std::vector<std::uint8_t> released_weights() const {
    const std::filesystem::path folder = directory_ / "released";
    (void)federation_->operate({"model", "export", "--out", folder});
    const std::string package = process::read_text(folder / "model.skep");
    const std::vector<std::uint8_t> bytes(package.begin(), package.end());
    return read_released_model(bytes).weights;
  }

  // What a device that was taken over trains on: opposite labels, or noise where there are none.
  [[nodiscard]] std::vector<Sample> poisoned(std::size_t device) const {
    const std::vector<Sample>& own = devices_[device];
    if (task_.has_classes()) return flip_labels(own, task_.spec.outputs());
    return replace_by_noise(own, mix_seed(options_.seed, static_cast<std::uint32_t>(device)));
  }

  // Every device is taken over. The gateway's own samples show it.
  void refuse_poison() {
    observer_.on_step(task_.has_classes() ? "poisoning all devices: their labels are flipped"
                                          : "poisoning all devices: their samples are noise");
    federation_->stop_devices();
    federation_->stop_gateway();
    federation_->switch_to_manual_rounds();
    federation_->start_gateway();
    start_devices("poisoned");
    const json outcome = aggregate_when_complete({"round", "aggregate"});
    summary_.poisoned_release = outcome.at("released").get<bool>() ? "released" : "refused";
    summary_.poisoned_accuracy = number_or_none(outcome.at("accuracy"));
  }

  void roll_back_bad_release() {
    observer_.on_step("forcing a poisoned release, then rolling it back");
    const json bad = aggregate_when_complete({"round", "aggregate", "--force"});
    if (!bad.at("released").get<bool>()) throw std::runtime_error("the forced release was refused");
    summary_.bad_release = quality_of(federation_->operate({"model", "show"}));
    const json back =
        federation_->operate({"model", "rollback", "--to", std::to_string(good_version_)});
    const std::uint32_t version = back.at("version");
    wait_until([&] { return federation_->devices_with_model(version) == options_.devices; });
    const json model = federation_->operate({"model", "show"});
    summary_.rolled_back = quality_of(model);
    const bool same_content = model.at("weights_sha256") == summary_.model_sha256;
    const bool higher_version = version > bad.at("version").get<std::uint32_t>();
    summary_.rollback = !same_content     ? "content differs"
                        : !higher_version ? "version did not rise"
                                          : "ok";
  }

  void verify_export() {
    observer_.on_step("exporting the model, verifying it offline, then with one bit flipped");
    const std::filesystem::path folder = directory_ / "export";
    (void)federation_->operate({"model", "export", "--out", folder});
    const process::Command verify{"model", "verify", folder, "--key",
                                  federation_->directory() / "signing.pub"};
    const auto verdict = [&] {
      return federation_->try_operate(verify).exit_code == 0 ? "ok" : "refused";
    };
    summary_.verify = verdict();
    flip_one_bit(folder / "model.skep");
    summary_.tampered_verify = verdict();
  }

  static void flip_one_bit(const std::filesystem::path& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
    file.seekg(middle);
    const int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(byte ^ 1));
    if (!file.flush()) throw std::runtime_error("cannot change " + path.string());
  }

  [[nodiscard]] std::filesystem::path samples(std::size_t device, const char* kind) const {
    return directory_ / (device_name(device) + "-" + kind + ".csv");
  }

  void start_devices(const char* kind) {
    process::Command options{"--backoff-first-ms", "200"};
    options.insert(options.end(), task_.device_options.begin(), task_.device_options.end());
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const auto index = static_cast<std::uint32_t>(i);
      federation_->start_device(device_name(i), samples(i, kind), mix_seed(options_.seed, index),
                                options);
    }
  }

  json aggregate_when_complete(const process::Command& aggregate) {
    (void)wait_for([&](const json& state) {
      return state.at("state") == "open" && state.at("received") == options_.devices;
    });
    json outcome = federation_->operate(aggregate);
    report_rounds(federation_->operate({"round", "status"}));
    return outcome;
  }

  // Polls `round status` until `done` likes it.
  template <typename Condition>
  json wait_for(const Condition& done) {
    json state;
    wait_until([&] {
      state = federation_->operate({"round", "status"});
      report_rounds(state);
      observer_.on_progress(state.at("round"), state.at("received"), options_.devices);
      return done(state);
    });
    return state;
  }

  void wait_until(const std::function<bool()>& done) {
    auto limit = std::chrono::steady_clock::now() + kPatience;
    std::size_t rounds_seen = rounds_reported_;
    while (!done()) {
      federation_->check_alive();
      if (rounds_seen != rounds_reported_) {
        rounds_seen = rounds_reported_;
        limit = std::chrono::steady_clock::now() + kPatience;
      }
      if (std::chrono::steady_clock::now() > limit) {
        throw std::runtime_error("nothing has happened for two minutes; see the logs in " +
                                 directory_.string());
      }
      std::this_thread::sleep_for(kPollInterval);
    }
  }

  void report_rounds(const json& state) {
    const json& rounds = state.at("rounds");
    for (; rounds_reported_ < rounds.size(); ++rounds_reported_) {
      const RoundRow row = row_of(rounds[rounds_reported_]);
      if (row.outcome == "open") break;
      observer_.on_round(row);
    }
  }

  const Options& options_;
  std::filesystem::path directory_;
  Observer& observer_;
  LearningTask task_;
  RoundRecipe recipe_;
  std::vector<std::vector<Sample>> devices_;
  std::optional<Federation> federation_;
  Summary summary_;
  std::uint32_t good_version_ = 0;
  std::size_t rounds_reported_ = 0;
};

}  // namespace

Summary run_scenario(const Options& options, Observer& observer) {
  if (!options.directory.empty()) {
    std::filesystem::create_directories(options.directory);
    return Scenario(options, options.directory, observer).run();
  }
  const process::TemporaryDirectory directory;
  return Scenario(options, directory.path(), observer).run();
}

}  // namespace skep::demo
