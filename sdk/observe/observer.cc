#include "skep/observe/observer.h"

#include <algorithm>

namespace skep::observe {
namespace {

bool is_int16(std::int32_t value) { return value >= INT16_MIN && value <= INT16_MAX; }

}  // namespace

Observer::Observer(const ObserverParts& parts) : parts_(parts) {}

// Of one frame.
std::size_t Observer::channels() const {
  return parts_.window != nullptr ? parts_.window->options().channels : parts_.features.size();
}

bool Observer::fits() const {
  const std::size_t frames = parts_.window != nullptr ? parts_.window->options().frames : 1;
  return !parts_.features.empty() && channels() * frames == parts_.features.size() &&
         parts_.buffer.options().feature_count == parts_.features.size() &&
         (parts_.scaler == nullptr ||
          (parts_.scaler->has_valid_options() && parts_.scaler->channels() == channels()));
}

bool Observer::are_readings(std::span<const std::int32_t> readings) const {
  return std::ranges::all_of(readings, parts_.scaler != nullptr ? is_reading : is_int16);
}

Status Observer::scale_frame(std::span<const std::int32_t> frame,
                             std::span<std::int16_t> features) const {
  if (parts_.scaler != nullptr) return parts_.scaler->scale(frame, features);
  std::ranges::transform(frame, features.begin(),
                         [](std::int32_t value) { return static_cast<std::int16_t>(value); });
  return Status::kOk;
}

Result<Features> Observer::take(std::span<const std::int32_t> readings, std::uint16_t label) {
  if (!fits() || readings.size() != channels() || !are_readings(readings) ||
      label >= parts_.buffer.options().label_count) {
    return Status::kInvalidArgument;
  }
  std::span<const std::int32_t> frame = readings;
  if (parts_.window != nullptr) {
    SKEP_ASSIGN_OR_RETURN(const bool is_complete, parts_.window->push(readings));
    if (!is_complete) return Features();
    frame = parts_.window->frame(0);
  }
  if (parts_.scaler != nullptr) {
    SKEP_TRY(parts_.scaler->learn(frame));
    if (!parts_.scaler->is_ready()) return Features();
  }
  if (parts_.window == nullptr) {
    SKEP_TRY(scale_frame(frame, parts_.features));
    return Features(parts_.features);
  }
  if (!parts_.window->is_full()) return Features();
  std::uint32_t age = parts_.window->options().frames;
  for (std::size_t at = 0; at < parts_.features.size(); at += channels()) {
    SKEP_TRY(scale_frame(parts_.window->frame(--age), parts_.features.subspan(at, channels())));
  }
  return Features(parts_.features);
}

Result<Features> Observer::features_of(std::span<const std::int32_t> sample) {
  if (!fits() || sample.size() != parts_.features.size() || !are_readings(sample)) {
    return Status::kInvalidArgument;
  }
  for (std::size_t at = 0; at < sample.size(); at += channels()) {
    SKEP_TRY(scale_frame(sample.subspan(at, channels()), parts_.features.subspan(at, channels())));
  }
  return Features(parts_.features);
}

Result<Observation> Observer::settle(std::uint16_t label, std::optional<std::uint32_t> loss_q16,
                                     std::uint32_t model_version, bool can_keep) {
  Observation observation;
  observation.is_sample = true;
  if (loss_q16.has_value()) {
    parts_.policy.on_loss(*loss_q16, model_version);
    observation.score =
        parts_.anomalies != nullptr ? parts_.anomalies->learn(*loss_q16) : judge(*loss_q16);
    if (observation.score->is_anomaly) can_keep = false;
  }
  if (!can_keep) return observation;
  SKEP_ASSIGN_OR_RETURN(observation.is_kept, parts_.buffer.add(parts_.features, label));
  parts_.policy.on_sample();
  return observation;
}

Score Observer::judge(std::uint32_t loss_q16) const {
  if (parts_.anomalies != nullptr) return parts_.anomalies->judge(loss_q16);
  return {.loss_q16 = loss_q16, .threshold_q16 = UINT32_MAX};
}

bool Observer::takes_part() const { return parts_.policy.takes_part(parts_.buffer.count()); }

void Observer::on_trained() { parts_.policy.on_trained(); }

void Observer::on_saved() { saved_ = known(); }

Observer::Known Observer::known() const {
  return {
      .scale = parts_.scaler != nullptr && parts_.scaler->is_ready(),
      .threshold = parts_.anomalies != nullptr && parts_.anomalies->threshold_q16() != UINT32_MAX};
}

std::uint32_t Observer::scaler_bytes() const {
  return parts_.scaler != nullptr ? parts_.scaler->state_bytes() : 0;
}

std::uint32_t Observer::state_bytes() const {
  return scaler_bytes() + (parts_.anomalies != nullptr ? AnomalyDetector::kStateBytes : 0);
}

bool Observer::needs_saving() const { return known() != saved_ && known() != Known{}; }

Status Observer::save(MutableBytes out) const {
  if (out.size() != state_bytes()) return Status::kInvalidArgument;
  if (parts_.scaler != nullptr) SKEP_TRY(parts_.scaler->save(out.first(scaler_bytes())));
  if (parts_.anomalies != nullptr) SKEP_TRY(parts_.anomalies->save(out.subspan(scaler_bytes())));
  return Status::kOk;
}

Status Observer::restore(Bytes state) {
  if (state.size() != state_bytes()) return Status::kMalformed;
  if (parts_.scaler != nullptr) SKEP_TRY(parts_.scaler->restore(state.first(scaler_bytes())));
  if (parts_.anomalies != nullptr) {
    SKEP_TRY(parts_.anomalies->restore(state.subspan(scaler_bytes())));
  }
  saved_ = known();
  return Status::kOk;
}

}  // namespace skep::observe
