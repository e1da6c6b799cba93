// What a Device does when a plan arrives: fetch the model, take part, upload.
#include <algorithm>
#include <array>

#include "device_requests.h"
#include "skep/device.h"
#include "skep/wire/resources.h"

namespace skep {
namespace {

// `name` and the version in decimal; returns the end. std::to_chars would bring a table of digits.
char* append_version(char* at, const char* name, std::uint32_t version) {
  for (; *name != '\0'; ++name) *at++ = *name;
  std::array<char, 10> digits;
  std::size_t count = 0;
  for (; version != 0 || count == 0; version /= 10) {
    digits[count++] = static_cast<char>('0' + version % 10);
  }
  while (count != 0) *at++ = digits[--count];
  return at;
}

}  // namespace

void Device::follow_plan() {
  plan_is_new_ = false;
  client_.cancel(round::kModelRequest);
  slots_->cancel_install();
  const wire::RoundPlan& plan = **plan_;
  if (plan.base_version > model_version()) {
    begin_fetch();
    return;
  }
  if (plan.state != skep_RoundState_ROUND_STATE_OPEN || plan.round <= answered_round_) {
    backoff_.reset();
    rest();
    return;
  }
  if (const Status status = check_plan(plan); status != Status::kOk) {
    refuse_round(status);
    return;
  }
  if (config_.observer != nullptr && !config_.observer->takes_part()) {
    report(EventKind::kRoundPostponed);
    rest();  // the gateway repeats the plan when it is asked again
    return;
  }
  begin_round();
}

Status Device::check_plan(const wire::RoundPlan& plan) const {
  const model::Installed& installed = *slots_->current();
  const bool same_base = plan.base_version == installed.version &&
                         std::ranges::equal(plan.base_digest, installed.manifest.weights_digest);
  if (!same_base) return Status::kWrongBase;
  SKEP_ASSIGN_OR_RETURN(const ModelSpec spec, wire::to_model_spec(installed.manifest.spec));
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t update_bytes,
                        round::LocalRound::sealed_bytes_bound(spec, wire::to_compression(plan)));
  return update_bytes <= config_.max_update_bytes ? Status::kOk : Status::kTooLarge;
}

// ---- the model

void Device::begin_fetch() {
  // The size is known only with the first block, and erasing takes longer than a block: so room
  // for the largest package is made before asking.
  patch_.reset();
  if (const Status status = slots_->begin_install(config_.max_package_bytes);
      status != Status::kOk) {
    refuse_model(status);
    return;
  }
  state_ = DeviceState::kErasing;
}

void Device::continue_fetch() {
  const Result<bool> erased = slots_->erase_step();
  if (!erased.ok()) {
    refuse_model(erased.status());
    return;
  }
  if (!*erased) return;
  write_model_query();
  state_ = DeviceState::kFetching;
  last_moved_ms_ = platform_.clock.now_ms();
  const Status status =
      client_.send(round::kModelRequest, {.path = wire::kModelPath, .query = model_query_.data()});
  if (status != Status::kOk) lost_ = status;
}

// A device that has a model asks for what is new in the other one.
void Device::write_model_query() {
  asks_for_patch_ = model_version() != 0 && !wants_whole_model_;
  char* at = append_version(model_query_.data(), wire::kModelVersionQuery, (*plan_)->base_version);
  if (asks_for_patch_) at = append_version(at, wire::kBaseVersionQuery, model_version());
  *at = '\0';
}

void Device::finish_fetch() {
  if (const Status status = slots_->finish(); status != Status::kOk) {
    refuse_model(status);
    return;
  }
  backoff_.reset();
  wants_whole_model_ = false;
  report(EventKind::kModelInstalled);
  follow_plan();
}

// Asking again at once would give the same answer: the device backs off first.
void Device::put_off_model(Status reason) {
  report(EventKind::kModelRefused, reason);
  client_.cancel(round::kModelRequest);
  slots_->cancel_install();
  back_off();
}

void Device::refuse_model(Status reason) {
  if (patch_.has_value()) {
    fetch_whole_model(reason);
  } else {
    put_off_model(reason);
  }
}

// Whatever is wrong with a patch, the whole model does not need it. No other patch is asked for
// until a model is installed, so that this happens once.
void Device::fetch_whole_model(Status reason) {
  report(EventKind::kPatchRefused, reason);
  client_.cancel(round::kModelRequest);
  wants_whole_model_ = true;
  begin_fetch();
}

// ---- the round

void Device::begin_round() {
  const wire::RoundPlan& plan = **plan_;
  // What the model of this round sees has to survive a reset as long as the model does.
  if (const Status status = store_observer(); status != Status::kOk) {
    refuse_round(status);
    return;
  }
  const Result<std::uint32_t> seed = new_training_seed(plan.round);
  const Result<ModelSpec> spec = wire::to_model_spec(slots_->current()->manifest.spec);
  if (!seed.ok() || !spec.ok()) {
    refuse_round(seed.ok() ? spec.status() : seed.status());
    return;
  }
  spec_ = *spec;
  upload_ = {};
  const Status status = local_round_.begin({.plan = plan,
                                            .spec = spec_,
                                            .weights = slots_->current()->weights,
                                            .device = identity_->name.data(),
                                            .device_key = identity_->signing_key,
                                            .seed = *seed});
  if (status != Status::kOk) {
    refuse_round(status);
    return;
  }
  state_ = DeviceState::kTraining;
  report(EventKind::kRoundStarted);
}

void Device::continue_round() {
  const Result<bool> finished = local_round_.step(config_.samples_per_poll);
  if (!finished.ok()) {
    refuse_round(finished.status());
    return;
  }
  if (!*finished) return;
  if (const Status status = finish_round(); status != Status::kOk) {
    refuse_round(status);
    return;
  }
  report(EventKind::kUpdateStored);
  begin_upload();
}

Status Device::finish_round() {
  const wire::RoundPlan& plan = **plan_;
  const Bytes sealed = local_round_.sealed().bytes();
  SKEP_TRY(pending_->store(plan.round, plan.base_version, sealed));
  upload_ = sealed;
  upload_round_ = plan.round;
  if (config_.observer != nullptr) config_.observer->on_trained();
  return Status::kOk;
}

// The plan is not tried again: what refused it would refuse it again. The next one may do.
void Device::refuse_round(Status reason) {
  answered_round_ = (*plan_)->round;
  report(EventKind::kPlanRefused, reason);
  rest();
}

// ---- the upload

void Device::begin_upload() {
  if (client_.state() != transport::SessionState::kEstablished) {
    back_off();  // lost while training; once there is a new one, the upload begins again
    return;
  }
  if (const Status status = load_upload(); status != Status::kOk) {
    lost_ = status;
    return;
  }
  if (upload_.empty()) return;
  state_ = DeviceState::kUploading;
  last_moved_ms_ = platform_.clock.now_ms();
  client_.cancel(round::kUploadRequest);
  const Status status = client_.send(
      round::kUploadRequest,
      {.method = transport::Method::kPost, .path = wire::kUpdatesPath, .body = upload_});
  if (status != Status::kOk) lost_ = status;
}

// After a reset the update is in storage only; it is sent before anything else uses the workspace.
// One that can never be sent is forgotten; a medium that fails now may work later.
Status Device::load_upload() {
  if (!upload_.empty()) return Status::kOk;
  const Result<model::PendingInfo> info =
      pending_->load({reinterpret_cast<std::uint8_t*>(workspace_.data()), workspace_.size()});
  if (info.status() == Status::kNotFound) return Status::kOk;
  local_round_.lend_workspace(info.ok() ? info->size_bytes
                                        : static_cast<std::uint32_t>(workspace_.size()));
  if (info.status() == Status::kStorageFailed) return Status::kStorageFailed;
  if (!info.ok()) return pending_->clear();
  upload_ = {reinterpret_cast<const std::uint8_t*>(workspace_.data()), info->size_bytes};
  upload_round_ = info->round;
  return Status::kOk;
}

void Device::end_upload(EventKind outcome, Status status) {
  Status stored = remember_answered(std::max(answered_round_, upload_round_));
  if (stored == Status::kOk) stored = pending_->clear();
  if (stored != Status::kOk) {
    lost_ = stored;  // it stays pending: the gateway will call it a duplicate
    return;
  }
  backoff_.reset();
  report(outcome, status);
  upload_ = {};
  state_ = DeviceState::kObserving;
  plan_is_new_ = plan_.has_value();
}

// A finished update is in storage as well: while it waits for a session, its copy in the workspace
// makes room, so that a device whose gateway is away goes on to judge its samples.
bool Device::claim_workspace() {
  if (state_ == DeviceState::kTraining || state_ == DeviceState::kUploading) return false;
  upload_ = {};
  return true;
}

Result<std::uint16_t> Device::predict(std::span<const std::int16_t> features) {
  if (model_version() == 0) return Status::kNotFound;
  if (!claim_workspace()) return Status::kBusy;
  SKEP_ASSIGN_OR_RETURN(const ModelSpec spec,
                        wire::to_model_spec(slots_->current()->manifest.spec));
  return local_round_.predict(spec, slots_->current()->weights, features);
}

}  // namespace skep
