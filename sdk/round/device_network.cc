// What a Device does with what the gateway says.
#include <algorithm>
#include <utility>

#include "device_requests.h"
#include "skep/device.h"
#include "skep/seal/sha256.h"
#include "skep/wire/problem.h"
#include "skep/wire/response_code.h"

namespace skep {
namespace {

// The gateway's reason, if it gave one.
Status problem_status(Bytes body) {
  const Result<wire::Problem> problem = wire::decode_problem(body);
  return problem.ok() ? wire::status_of(*problem) : Status::kRejected;
}

// The same request may succeed later: the gateway is busy, failed inside, or lost a block.
bool is_temporary(std::uint8_t code) {
  return code >> 5U == 5 || code == wire::kCodeTooManyRequests || code == wire::coap_code(4, 8);
}

}  // namespace

void Device::on_response(transport::RequestId id, const transport::Response& response) {
  last_heard_ms_ = platform_.clock.now_ms();
  const bool waited = state_ == DeviceState::kWaiting;
  switch (id) {
    case round::kObserveRequest:
      awaits_plan_ = false;
      on_plan_block(response);
      break;
    case round::kModelRequest:
      on_model_block(response);
      break;
    case round::kUploadRequest:
      on_receipt(response);
      break;
    default:
      break;
  }
  // The gateway knows best when, up to a bound; the back-off comes on top, so that all who were
  // told the same do not come back together.
  if (state_ == DeviceState::kWaiting && !waited) {
    constexpr std::uint32_t kMaxSeconds = UINT32_MAX / 1000U;
    resume_at_ms_ +=
        std::min(std::min(response.max_age_s, kMaxSeconds) * 1000U, config_.backoff.longest_ms);
  }
}

void Device::on_failure(transport::RequestId /*id*/, Status status) { lost_ = status; }

void Device::on_plan_block(const transport::Response& response) {
  if (is_temporary(response.code) && state_ == DeviceState::kObserving) {
    back_off();  // the session stays: a handshake costs a busy gateway more than a request
    return;
  }
  if (!transport::is_success(response.code)) {
    lost_ = problem_status(response.payload);
    return;
  }
  if (response.offset == 0) plan_bytes_ = 0;
  if (response.offset != plan_bytes_) return;  // the rest of one that was refused
  if (response.payload.size() > plan_buffer_.size() - plan_bytes_) {
    plan_bytes_ = UINT32_MAX;  // no further block continues it
    report(EventKind::kPlanRefused, Status::kTooLarge);
    return;
  }
  std::ranges::copy(response.payload, plan_buffer_.begin() + plan_bytes_);
  plan_bytes_ += static_cast<std::uint32_t>(response.payload.size());
  if (!response.last) return;
  on_plan(Bytes(plan_buffer_).first(std::exchange(plan_bytes_, UINT32_MAX)));
}

void Device::on_plan(Bytes message) {
  const Result<seal::VerifiedPlan> plan =
      seal::PlanVerifier::verify(message, identity_->gateway_key);
  if (!plan.ok()) {
    report(EventKind::kPlanRefused, plan.status());
    return;
  }
  if (!std::ranges::equal((*plan)->federation, identity_->federation)) {
    report(EventKind::kPlanRefused, Status::kWrongFederation);
    return;
  }
  const bool is_repeated = plan_.has_value() && (*plan_)->round == (*plan)->round &&
                           (*plan_)->state == (*plan)->state &&
                           (*plan_)->base_version == (*plan)->base_version &&
                           std::ranges::equal((*plan_)->nonce, (*plan)->nonce);
  // A repetition disturbs nothing that is under way.
  if (is_repeated && state_ != DeviceState::kObserving) return;
  plan_.emplace(*plan);
  plan_is_new_ = true;
}

void Device::on_model_block(const transport::Response& response) {
  if (state_ != DeviceState::kFetching) return;
  if (response.code != transport::kContent) {
    const Status reason = problem_status(response.payload);
    if (asks_for_patch_ && !is_temporary(response.code)) {
      fetch_whole_model(reason);  // a gateway that knows no patches refuses the question
    } else {
      put_off_model(reason);
    }
    return;
  }
  if (const Status status = take_model_block(response); status != Status::kOk) {
    refuse_model(status);
    return;
  }
  last_moved_ms_ = last_heard_ms_;
  if (response.last) state_ = DeviceState::kInstalling;
}

Status Device::take_model_block(const transport::Response& response) {
  if (response.etag.size() != model_etag_.size()) return Status::kMalformed;
  if (response.offset == 0) {
    SKEP_TRY(begin_model(response));
  } else if (!std::ranges::equal(response.etag, model_etag_)) {
    return Status::kMalformed;  // another model took its place in mid-transfer
  }
  if (patch_.has_value()) {
    SKEP_TRY(patch_->append(response.payload));
    return response.last ? patch_->finish() : Status::kOk;
  }
  SKEP_TRY(slots_->append(response.offset, response.payload));
  // Where the body ends is certain only now: the total is the peer's claim, and optional. A
  // package that was cut short does not decode.
  return response.last ? slots_->lower_package_bytes(slots_->received_bytes()) : Status::kOk;
}

Status Device::begin_model(const transport::Response& first_block) {
  std::ranges::copy(first_block.etag, model_etag_.begin());
  const Bytes content = first_block.payload;
  if (asks_for_patch_ && !content.empty() && content[0] == wire::kModelPatchFirstByte) {
    patch_.emplace(*slots_);
    return Status::kOk;
  }
  return first_block.total_bytes == 0 ? Status::kOk
                                      : slots_->lower_package_bytes(first_block.total_bytes);
}

void Device::on_receipt(const transport::Response& response) {
  if (state_ != DeviceState::kUploading) return;
  if (is_temporary(response.code)) {
    back_off();
    return;
  }
  if (!transport::is_success(response.code)) {
    end_upload(EventKind::kUpdateRefused, problem_status(response.payload));
    return;
  }
  if (const Status status = check_receipt(response.payload); status != Status::kOk) {
    lost_ = status;  // not an acknowledgement of this update: it stays pending
    return;
  }
  end_upload(EventKind::kUpdateAccepted, Status::kOk);
}

Status Device::check_receipt(Bytes body) const {
  SKEP_ASSIGN_OR_RETURN(const wire::Receipt receipt, wire::decode_receipt(body));
  SKEP_ASSIGN_OR_RETURN(const seal::Sha256Digest digest, seal::sha256(upload_));
  if (receipt.round != upload_round_) return Status::kWrongRound;
  return std::ranges::equal(digest, receipt.update_digest) ? Status::kOk : Status::kBadDigest;
}

}  // namespace skep
