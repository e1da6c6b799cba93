// How well an autoencoder tells a machine's failures from its usual days.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "skep/demo/learning_task.h"

namespace skep::demo {

struct Detection {
  std::size_t failures_found = 0;  ///< With a window above the threshold at least.
  std::size_t false_alarms = 0;    ///< Held-out windows, all of them normal, above it.
  /// Probability that a window of a failure has a higher loss than a held-out one, ties counted
  /// half (area under the ROC curve; Hanley and McNeil, Radiology 143, 1982).
  double area_under_curve = 0;
};

/// The model's loss on one sample, Q16.16.
using LossOf = std::function<std::uint32_t(const Sample& sample)>;

/// An observe::AnomalyDetector with skep-nab's options learns its threshold from the losses of the
/// training windows, then judges held-out windows and failures; these teach it nothing. Requires
/// that held-out windows and failures are not empty.
Detection detect(const LearningTask& task, const LossOf& loss_of);

}  // namespace skep::demo
