// The Device's life: start, poll, sessions. What it does in a round is in device_round.cc, what
// it hears from the gateway in device_network.cc.
#include "skep/device.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "device_requests.h"
#include "skep/core/little_endian.h"
#include "skep/core/prng.h"
#include "skep/model/log_keys.h"
#include "skep/seal/crypto.h"
#include "skep/version.h"
#include "skep/wire/resources.h"

namespace skep {
namespace {

constexpr std::size_t kRoundRecordBytes = 4;
constexpr std::size_t kWorkspaceAlignment = 8;

bool is_aligned(std::span<const std::byte> workspace) {
  return reinterpret_cast<std::uintptr_t>(workspace.data()) % kWorkspaceAlignment == 0;
}

bool is_upload_event(round::EventKind kind) {
  return kind == round::EventKind::kUpdateStored || kind == round::EventKind::kUpdateAccepted ||
         kind == round::EventKind::kUpdateRefused;
}

}  // namespace

Device::Device(const DeviceConfig& config, const Platform& platform, transport::Client& client,
               std::span<std::byte> workspace, round::EventSink* events)
    : config_(config),
      platform_(platform),
      client_(client),
      workspace_(workspace),
      events_(events),
      log_(platform.storage),
      workspace_policy_(workspace.size()),
      local_round_(platform.samples, workspace),
      backoff_(config.backoff, platform.entropy) {}

Status Device::start() {
  if (!is_aligned(workspace_) || config_.samples_per_poll == 0) return Status::kInvalidArgument;
  std::array<std::uint8_t, 4> probe{};
  SKEP_TRY(platform_.entropy.fill(probe));
  SKEP_TRY(seal::initialize_crypto());
  SKEP_TRY(load_identity());
  SKEP_TRY(open_storage());
  SKEP_TRY(restore_observer());
  state_ = DeviceState::kWaiting;
  resume_at_ms_ = platform_.clock.now_ms();
  return Status::kOk;
}

Status Device::load_identity() {
  const wire::DeviceCredentials& credentials = config_.credentials;
  const std::size_t name_bytes = std::strlen(credentials.device);
  if (!wire::is_valid_name(credentials.device, name_bytes)) return Status::kInvalidArgument;
  SKEP_ASSIGN_OR_RETURN(seal::SigningKey signing_key,
                        seal::SigningKey::from_bytes(credentials.device_private_key));
  SKEP_ASSIGN_OR_RETURN(const seal::VerifyingKey gateway_key,
                        seal::VerifyingKey::from_bytes(credentials.model_signing_key));
  identity_.emplace(Identity{.federation = {},
                             .name = {},
                             .signing_key = std::move(signing_key),
                             .gateway_key = gateway_key});
  std::ranges::copy(credentials.federation, identity_->federation.begin());
  std::copy_n(credentials.device, name_bytes, identity_->name.begin());
  package_trust_.set_key(identity_->gateway_key);
  return Status::kOk;
}

Status Device::open_storage() {
  SKEP_ASSIGN_OR_RETURN(const model::StorageLayout layout,
                        model::make_layout(platform_.storage.geometry(), config_.max_package_bytes,
                                           config_.max_update_bytes));
  SKEP_TRY(log_.open(layout.log));
  slots_.emplace(platform_.storage, log_,
                 model::PackageChecks{.verifier = package_trust_,
                                      .policy = workspace_policy_,
                                      .federation = identity_->federation,
                                      .sdk_version = kSdkVersion});
  SKEP_TRY(slots_->open(layout));
  pending_.emplace(platform_.storage, log_, layout.pending_update);

  std::array<std::uint8_t, kRoundRecordBytes> record{};
  const Result<std::size_t> length =
      log_.get(static_cast<std::uint8_t>(model::LogKey::kRound), record);
  if (length.ok() && *length == record.size()) answered_round_ = load_u32(record.data());
  return length.ok() || length.status() == Status::kNotFound ? Status::kOk : length.status();
}

Status Device::remember_answered(std::uint32_t round_id) {
  std::array<std::uint8_t, kRoundRecordBytes> record{};
  store_u32(record.data(), round_id);
  answered_round_ = round_id;
  return log_.put(static_cast<std::uint8_t>(model::LogKey::kRound), record);
}

Result<std::uint32_t> Device::new_training_seed(std::uint32_t round_id) {
  if (config_.training_seed != 0) return mix_seed(config_.training_seed, round_id);
  std::array<std::uint8_t, 4> random{};
  SKEP_TRY(platform_.entropy.fill(random));
  return load_u32(random.data());
}

std::uint32_t Device::model_version() const {
  return slots_.has_value() && slots_->current().has_value() ? slots_->current()->version : 0;
}

std::uint32_t Device::poll() {
  if (state_ == DeviceState::kStopped) return UINT32_MAX;
  client_.poll();
  const Status problem = session_problem(platform_.clock.now_ms());
  if (problem != Status::kOk) lose_session(problem);
  if (has_plan_to_follow()) follow_plan();
  work(platform_.clock.now_ms());
  return idle_ms(platform_.clock.now_ms());
}

Status Device::session_problem(std::uint64_t now_ms) const {
  if (lost_ != Status::kOk) return lost_;
  const bool transfers = state_ == DeviceState::kFetching || state_ == DeviceState::kUploading;
  if (transfers && now_ms - last_moved_ms_ >= config_.answer_timeout_ms) return Status::kTimeout;
  const bool asks = state_ == DeviceState::kObserving && awaits_plan_;
  if (asks && now_ms - last_heard_ms_ >= config_.answer_timeout_ms) return Status::kTimeout;
  const bool needs_session = state_ != DeviceState::kWaiting && state_ != DeviceState::kTraining;
  const bool is_closed = client_.state() == transport::SessionState::kClosed;
  return needs_session && is_closed ? Status::kUnreachable : Status::kOk;
}

// What is under way in the other states has to end first.
bool Device::has_plan_to_follow() const {
  return plan_is_new_ && state_ != DeviceState::kWaiting && state_ != DeviceState::kConnecting &&
         state_ != DeviceState::kUploading;
}

void Device::work(std::uint64_t now_ms) {
  switch (state_) {
    case DeviceState::kStopped:
      break;
    case DeviceState::kWaiting:
      if (now_ms < resume_at_ms_) break;
      if (client_.state() == transport::SessionState::kEstablished) {
        on_connected();
      } else {
        connect();
      }
      break;
    case DeviceState::kConnecting:
      if (client_.state() == transport::SessionState::kEstablished) {
        report(EventKind::kConnected);
        on_connected();
      }
      break;
    case DeviceState::kObserving:
      if (!awaits_plan_ && now_ms - last_heard_ms_ >= config_.refresh_ms) observe_rounds();
      break;
    case DeviceState::kErasing:
      continue_fetch();
      break;
    case DeviceState::kInstalling:
      finish_fetch();
      break;
    case DeviceState::kTraining:
      continue_round();
      break;
    case DeviceState::kFetching:
    case DeviceState::kUploading:
      // The transport answers or fails each request; there is nothing to do in between.
      break;
  }
}

std::uint32_t Device::idle_ms(std::uint64_t now_ms) {
  if (session_problem(now_ms) != Status::kOk || has_plan_to_follow()) return 0;
  std::uint64_t due_ms = now_ms;
  switch (state_) {
    case DeviceState::kWaiting:
      due_ms = resume_at_ms_;
      break;
    case DeviceState::kObserving:
      due_ms = last_heard_ms_ + (awaits_plan_ ? config_.answer_timeout_ms : config_.refresh_ms);
      break;
    case DeviceState::kFetching:
    case DeviceState::kUploading:
      due_ms = last_moved_ms_ + config_.answer_timeout_ms;
      break;
    case DeviceState::kConnecting:
      return client_.next_timeout_ms();
    default:
      return 0;
  }
  if (due_ms <= now_ms) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(due_ms - now_ms, client_.next_timeout_ms()));
}

void Device::connect() {
  state_ = DeviceState::kConnecting;
  if (const Status status = client_.open(*this); status != Status::kOk) lose_session(status);
}

void Device::on_connected() {
  state_ = DeviceState::kObserving;
  observe_rounds();
  begin_upload();
}

// Observing again also finds out whether the session still lives: a gateway that restarted does
// not answer it, the request times out, and the session is given up.
void Device::observe_rounds() {
  last_heard_ms_ = platform_.clock.now_ms();
  client_.cancel(round::kObserveRequest);
  plan_bytes_ = 0;
  awaits_plan_ = true;
  const Status status =
      client_.send(round::kObserveRequest, {.path = wire::kRoundPath, .observe = true});
  if (status != Status::kOk) lost_ = status;
}

void Device::lose_session(Status reason) {
  lost_ = Status::kOk;
  client_.close();
  slots_->cancel_install();
  report(EventKind::kSessionLost, reason);
  // Training needs no session: it goes on, and the finished update asks for a new one.
  if (state_ != DeviceState::kTraining) back_off();
}

void Device::back_off() {
  state_ = DeviceState::kWaiting;
  resume_at_ms_ = platform_.clock.now_ms() + backoff_.next_ms();
}

// Until the next plan. Training outlives its session, so there may be none.
void Device::rest() {
  if (client_.state() == transport::SessionState::kEstablished) {
    state_ = DeviceState::kObserving;
  } else {
    back_off();
  }
}

void Device::report(EventKind kind, Status status) {
  if (events_ == nullptr) return;
  const round::RoundSummary summary = local_round_.summary();
  const std::uint32_t plan_round = plan_.has_value() ? (*plan_)->round : 0;
  events_->on_event({.kind = kind,
                     .status = status,
                     .round = is_upload_event(kind) ? upload_round_ : plan_round,
                     .model_version = model_version(),
                     .update_bytes = static_cast<std::uint32_t>(upload_.size()),
                     .sample_count = summary.sample_count,
                     .loss_before_q16 = summary.loss_before_q16,
                     .loss_after_q16 = summary.loss_after_q16});
}

}  // namespace skep
