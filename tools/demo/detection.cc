#include "detection.h"

#include <algorithm>
#include <vector>

#include "skep/anomaly/stream_detector.h"
#include "skep/observe/anomaly_detector.h"

namespace skep::demo {
namespace {

std::vector<std::uint32_t> losses_of(const std::vector<Sample>& samples, const LossOf& loss_of) {
  std::vector<std::uint32_t> losses;
  losses.reserve(samples.size());
  for (const Sample& sample : samples) losses.push_back(loss_of(sample));
  return losses;
}

std::size_t count_anomalies(const std::vector<std::uint32_t>& losses,
                            const observe::AnomalyDetector& detector) {
  return static_cast<std::size_t>(std::ranges::count_if(
      losses, [&](std::uint32_t loss) { return detector.judge(loss).is_anomaly; }));
}

double area_under_curve(const std::vector<std::uint32_t>& unusual,
                        const std::vector<std::uint32_t>& usual) {
  double above = 0;
  for (const std::uint32_t high : unusual) {
    for (const std::uint32_t low : usual) above += high > low ? 1.0 : high == low ? 0.5 : 0.0;
  }
  return above / static_cast<double>(unusual.size()) / static_cast<double>(usual.size());
}

}  // namespace

Detection detect(const LearningTask& task, const LossOf& loss_of) {
  observe::AnomalyDetector detector(anomaly::StreamDetector::kAnomalies);
  for (const Sample& sample : task.training) (void)detector.learn(loss_of(sample));
  Detection detection;
  const std::vector<std::uint32_t> usual = losses_of(task.held_out, loss_of);
  detection.false_alarms = count_anomalies(usual, detector);
  std::vector<std::uint32_t> unusual;
  for (const std::vector<Sample>& failure : task.failures) {
    const std::vector<std::uint32_t> losses = losses_of(failure, loss_of);
    if (count_anomalies(losses, detector) != 0) ++detection.failures_found;
    unusual.insert(unusual.end(), losses.begin(), losses.end());
  }
  detection.area_under_curve = area_under_curve(unusual, usual);
  return detection;
}

}  // namespace skep::demo
