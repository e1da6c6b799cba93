#include "machine_task.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "skep/anomaly/autoencoder.h"
#include "skep/anomaly/nab_series.h"
#include "skep/anomaly/stream_detector.h"
#include "skep/checked/take.h"
#include "skep/observe/feature_scaler.h"
#include "skep/observe/sliding_window.h"

namespace skep::demo {
namespace {

using anomaly::LabelledWindow;
using anomaly::NabSeries;
using anomaly::StreamDetector;
using checked::require;
using checked::take;

constexpr std::size_t kBlockHours = 72;
constexpr std::size_t kHeldOutOf = 5;  // one block in so many

// anomaly::autoencoder_spec(), for `skepctl model new`.
constexpr const char* kSpecText = R"(inputs: 24  input_exponent: -12
loss: LOSS_MEAN_SQUARED_ERROR
layers { kind: LAYER_KIND_DENSE outputs: 1 }
layers { kind: LAYER_KIND_TANH }
layers { kind: LAYER_KIND_DENSE outputs: 24 }
)";

struct Window {
  std::size_t first;  // rows
  std::size_t last;
  Sample sample;
};

// What the window holds, oldest frame first, in the scaler's units.
Sample scaled(const observe::SlidingWindow& window, const observe::FeatureScaler& scaler) {
  Sample sample;
  sample.features.resize(StreamDetector::kFrames);
  for (std::uint32_t i = 0; i < StreamDetector::kFrames; ++i) {
    require(scaler.scale(window.frame(StreamDetector::kFrames - 1 - i),
                         std::span(sample.features).subspan(i, 1)),
            "scaling");
  }
  return sample;
}

// One an hour, from the hour in which the scale is known.
std::vector<Window> windows_of(const NabSeries& series) {
  const observe::WindowOptions options{.frames = StreamDetector::kFrames,
                                       .stride = series.rows_per_hour};
  std::array<std::int32_t, observe::SlidingWindow::words_for({.frames = StreamDetector::kFrames})>
      memory{};
  observe::SlidingWindow window(memory, options);
  std::array<observe::ChannelMoments, 1> moments{};
  observe::FeatureScaler scaler(moments, StreamDetector::kScale);
  const std::size_t rows = std::size_t{StreamDetector::kFrames} * series.rows_per_hour;
  std::vector<Window> windows;
  for (std::size_t row = 0; row < series.thousandths.size(); ++row) {
    if (!take(window.push(std::span(&series.thousandths[row], 1)), "window")) continue;
    require(scaler.learn(window.frame(0)), "learning the scale");
    if (!window.is_full() || !scaler.is_ready()) continue;
    windows.push_back({row + 1 - rows, row, scaled(window, scaler)});
  }
  return windows;
}

bool ends_in(const Window& window, const LabelledWindow& failure) {
  return window.last >= failure.first && window.last <= failure.last;
}

bool touches(const Window& window, const LabelledWindow& failure) {
  return window.last >= failure.first && window.first <= failure.last;
}

bool is_normal(const Window& window, const std::vector<LabelledWindow>& failures) {
  return std::ranges::none_of(
      failures, [&](const LabelledWindow& failure) { return touches(window, failure); });
}

// Nothing for a window with hours of both sets.
std::optional<bool> is_held_out(const Window& window, std::size_t rows_per_block,
                                std::uint32_t seed) {
  const auto held_out = [&](std::size_t row) {
    return (row / rows_per_block + seed % kHeldOutOf) % kHeldOutOf == 0;
  };
  // A day is shorter than a block: what is between has been looked at with these two.
  const bool first = held_out(window.first);
  if (first != held_out(window.last)) return std::nullopt;
  return first;
}

}  // namespace

LearningTask machine_task(const std::filesystem::path& data, std::uint32_t seed) {
  const NabSeries series =
      anomaly::load_nab_series(data / "nab", "machine_temperature_system_failure");
  LearningTask task;
  task.spec = anomaly::autoencoder_spec(StreamDetector::kFrames, StreamDetector::kFeatureExponent);
  task.model = {.name = "machine", .options = {}, .spec_text = kSpecText};
  task.failures.resize(series.windows.size());
  for (Window& window : windows_of(series)) {
    for (std::size_t i = 0; i < series.windows.size(); ++i) {
      if (ends_in(window, series.windows[i])) task.failures[i].push_back(window.sample);
    }
    if (!is_normal(window, series.windows)) continue;
    const auto held_out = is_held_out(window, kBlockHours * series.rows_per_hour, seed);
    if (!held_out) continue;
    (*held_out ? task.held_out : task.training).push_back(std::move(window.sample));
  }
  task.recipe.max_rounds = 20;
  task.recipe.learning_rate_shift = 7;
  // 73 parameters: nothing to leave out. Not int8, whose roundings follow from a plan's nonce: the
  // same seed is to give the same model.
  task.recipe.keep_permille = 1000;
  task.central_epochs = 30;
  task.central_rate = {1, 7};
  return task;
}

}  // namespace skep::demo
