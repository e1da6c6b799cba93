#include "skep/observe/anomaly_detector.h"

#include <algorithm>

#include "skep/core/little_endian.h"

namespace skep::observe {
namespace {

constexpr std::uint8_t kStateVersion = 1;

// In the next bucket of the QuantileEstimator, or the one after.
std::uint32_t just_above(std::uint32_t value) {
  const std::uint64_t above = std::uint64_t{value} + value / 8 + 1;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(above, UINT32_MAX));
}

void count_saturating(std::uint32_t& counter) {
  if (counter != UINT32_MAX) ++counter;
}

}  // namespace

AnomalyDetector::AnomalyDetector(const AnomalyOptions& options)
    : options_(options), losses_(options.memory) {}

std::uint32_t AnomalyDetector::threshold_q16() const {
  if (learned_ < options_.warm_up) return restored_threshold_q16_;
  const std::uint64_t product =
      std::uint64_t{losses_.quantile(options_.rank_q16)} * options_.factor_q8;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(product >> 8U, UINT32_MAX));
}

Score AnomalyDetector::judge(std::uint32_t loss_q16) const {
  Score score{.loss_q16 = loss_q16, .threshold_q16 = threshold_q16()};
  score.is_anomaly = loss_q16 > score.threshold_q16;
  const bool is_new = losses_since_anomaly_ >= options_.quiet_losses;
  const bool lasts = options_.repeat_losses != 0 && losses_since_alarm_ >= options_.repeat_losses;
  score.begins_alarm = score.is_anomaly && (is_new || lasts);
  return score;
}

Score AnomalyDetector::learn(std::uint32_t loss_q16) {
  const Score score = judge(loss_q16);
  losses_.add(std::min(loss_q16, just_above(score.threshold_q16)));
  if (learned_ < options_.warm_up) ++learned_;
  count_saturating(losses_since_anomaly_);
  count_saturating(losses_since_alarm_);
  if (score.is_anomaly) losses_since_anomaly_ = 0;
  if (score.begins_alarm) losses_since_alarm_ = 0;
  return score;
}

Status AnomalyDetector::save(MutableBytes out) const {
  if (out.size() != kStateBytes) return Status::kInvalidArgument;
  out[0] = kStateVersion;
  store_u32(&out[1], threshold_q16());
  return Status::kOk;
}

Status AnomalyDetector::restore(Bytes state) {
  if (state.empty()) return Status::kMalformed;
  if (state[0] != kStateVersion) return Status::kUnsupportedVersion;
  if (state.size() != kStateBytes) return Status::kMalformed;
  restored_threshold_q16_ = load_u32(&state[1]);
  return Status::kOk;
}

}  // namespace skep::observe
