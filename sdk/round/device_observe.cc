// What a Device does with its own readings, apart from the rounds.
#include <array>

#include "skep/device.h"
#include "skep/model/log_keys.h"

namespace skep {
namespace {

constexpr auto kObserverKey = static_cast<std::uint8_t>(model::LogKey::kObserver);

}  // namespace

Result<observe::Observation> Device::observe(std::span<const std::int32_t> readings,
                                             std::uint16_t label) {
  if (config_.observer == nullptr) return Status::kUnsupported;
  if (state_ == DeviceState::kStopped) return Status::kInvalidArgument;
  observe::Observer& observer = *config_.observer;
  SKEP_ASSIGN_OR_RETURN(const observe::Features features, observer.take(readings, label));
  observe::Observation observation;
  if (!features.empty()) {
    std::optional<std::uint32_t> loss_q16;
    if (model_version() != 0) {
      SKEP_ASSIGN_OR_RETURN(const ModelSpec spec,
                            wire::to_model_spec(slots_->current()->manifest.spec));
      const Result<std::uint32_t> loss = loss_of(features, spec, label);
      if (!loss.ok() && loss.status() != Status::kBusy) return loss.status();
      if (loss.ok()) loss_q16 = *loss;
    }
    const bool can_keep = state_ != DeviceState::kTraining;
    SKEP_ASSIGN_OR_RETURN(observation, observer.settle(label, loss_q16, model_version(), can_keep));
  }
  if (observer.needs_saving()) SKEP_TRY(store_observer());
  return observation;
}

Result<observe::Score> Device::score(std::span<const std::int32_t> sample) {
  if (config_.observer == nullptr) return Status::kUnsupported;
  if (model_version() == 0) return Status::kNotFound;
  SKEP_ASSIGN_OR_RETURN(const ModelSpec spec,
                        wire::to_model_spec(slots_->current()->manifest.spec));
  if (spec.loss != Loss::kMeanSquaredError) return Status::kUnsupported;
  SKEP_ASSIGN_OR_RETURN(const observe::Features features, config_.observer->features_of(sample));
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t loss_q16, loss_of(features, spec, 0));
  return config_.observer->judge(loss_q16);
}

Result<std::uint32_t> Device::loss_of(observe::Features features, const ModelSpec& spec,
                                      std::uint16_t label) {
  if (!claim_workspace()) return Status::kBusy;
  return local_round_.loss(spec, slots_->current()->weights, features, label);
}

// What was stored by other parts or with other options is left alone: the observer learns anew.
Status Device::restore_observer() {
  if (config_.observer == nullptr) return Status::kOk;
  std::array<std::uint8_t, RecordLog::kMaxPayloadBytes> state{};
  if (config_.observer->state_bytes() > state.size()) return Status::kTooLarge;
  const Result<std::size_t> length = log_.get(kObserverKey, state);
  if (length.status() == Status::kNotFound) return Status::kOk;
  if (!length.ok()) return length.status();
  const Status status = config_.observer->restore(Bytes(state).first(*length));
  return status == Status::kMalformed || status == Status::kUnsupportedVersion ? Status::kOk
                                                                               : status;
}

Status Device::store_observer() {
  if (config_.observer == nullptr || config_.observer->state_bytes() == 0) return Status::kOk;
  std::array<std::uint8_t, RecordLog::kMaxPayloadBytes> state{};
  const MutableBytes bytes = MutableBytes(state).first(config_.observer->state_bytes());
  SKEP_TRY(config_.observer->save(bytes));
  SKEP_TRY(log_.put(kObserverKey, bytes));
  config_.observer->on_saved();
  return Status::kOk;
}

}  // namespace skep
