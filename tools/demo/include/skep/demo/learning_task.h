// What a federation of the demo learns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/learn/engine.h"
#include "skep/model_spec.h"

namespace skep::demo {

/// Everything that one task has and another has not.
struct LearningTask {
  ModelSpec spec;
  FirstModel model;              ///< The same for `skepctl init`.
  std::vector<Sample> training;  ///< To be dealt out to devices.
  std::vector<Sample> held_out;  ///< The gateway's.
  /// Samples of each thing to be found that is not as usual. Empty if the samples have classes.
  std::vector<std::vector<Sample>> failures;
  process::Command device_options;   ///< Further options of skep-device.
  RoundRecipe recipe;                ///< Unless the command line says otherwise.
  std::uint32_t central_epochs = 0;  ///< Of the float32 peer that has all data in one place,
  learn::LearningRate central_rate;  ///< and its rate.

  /// False: it learns what is usual, and its loss says what is not.
  [[nodiscard]] bool has_classes() const { return spec.loss != Loss::kMeanSquaredError; }
};

/// Names that load_task() knows.
const std::vector<std::string>& task_names();

/// `data` is the folder of the data sets (tools/deps/fetch data images nab); `seed` decides what is
/// held out of a set that has no split of its own. Throws std::invalid_argument for a name that is
/// none, std::runtime_error if a data set is missing.
LearningTask load_task(const std::string& name, const std::filesystem::path& data,
                       std::uint32_t seed);

}  // namespace skep::demo
