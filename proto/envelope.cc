// Messages with members of any length: decoded into views, nothing is copied.
#include <utility>

#include "check.h"
#include "nanopb_stream.h"
#include "skep/wire/codec.h"

namespace skep::wire {
namespace {

// These bind the views of a message to nanopb's struct of it, for decoding (Views is a message of
// ours) and for encoding (Views is const).

template <typename Views>
skep_SignedRoundPlan bind_signed_round_plan(Views& views) {
  skep_SignedRoundPlan raw{};
  bind(raw.plan, views.plan);
  bind(raw.signature, views.signature);
  return raw;
}

template <typename Views>
skep_SignedTime bind_signed_time(Views& views) {
  skep_SignedTime raw{};
  bind(raw.time, views.time);
  bind(raw.signature, views.signature);
  return raw;
}

template <typename Views>
skep_SealedUpdate bind_sealed_update(Views& views) {
  skep_SealedUpdate raw{};
  bind(raw.header, views.header);
  bind(raw.enc, views.enc);
  bind(raw.ciphertext, views.ciphertext);
  bind(raw.signature, views.signature);
  return raw;
}

// The scalars are for encoding; decoding overwrites them.
template <typename Views>
skep_Update bind_update(Views& views) {
  skep_Update raw{};
  raw.version = 1;
  bind(raw.base_digest, views.base_digest);
  raw.sample_count = views.sample_count;
  raw.loss_before_q16 = views.loss_before_q16;
  raw.loss_after_q16 = views.loss_after_q16;
  bind(raw.delta, views.delta);
  return raw;
}

std::size_t varint_field_bytes(std::uint32_t value) {
  return value == 0 ? 0 : 1 + varint_bytes(value);
}

}  // namespace

Result<SignedRoundPlan> decode_signed_round_plan(Bytes bytes) {
  if (bytes.size() > kMaxSignedRoundPlanBytes) return Status::kTooLarge;
  SignedRoundPlan message;
  skep_SignedRoundPlan raw = bind_signed_round_plan(message);
  SKEP_TRY(decode_message(bytes, skep_SignedRoundPlan_fields, &raw));
  raw = bind_signed_round_plan(std::as_const(message));
  SKEP_TRY(check_canonical(bytes, skep_SignedRoundPlan_fields, &raw));
  SKEP_TRY(check(message));
  return message;
}

Result<std::size_t> encode(const SignedRoundPlan& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  const skep_SignedRoundPlan raw = bind_signed_round_plan(message);
  return encode_message(skep_SignedRoundPlan_fields, &raw, out);
}

Result<SignedTime> decode_signed_time(Bytes bytes) {
  if (bytes.size() > kMaxSignedTimeBytes) return Status::kTooLarge;
  SignedTime message;
  skep_SignedTime raw = bind_signed_time(message);
  SKEP_TRY(decode_message(bytes, skep_SignedTime_fields, &raw));
  raw = bind_signed_time(std::as_const(message));
  SKEP_TRY(check_canonical(bytes, skep_SignedTime_fields, &raw));
  SKEP_TRY(check(message));
  return message;
}

Result<std::size_t> encode(const SignedTime& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  const skep_SignedTime raw = bind_signed_time(message);
  return encode_message(skep_SignedTime_fields, &raw, out);
}

Result<SealedUpdate> decode_sealed_update(Bytes bytes) {
  if (bytes.size() > kMaxUpdateBytes) return Status::kTooLarge;
  SealedUpdate message;
  skep_SealedUpdate raw = bind_sealed_update(message);
  SKEP_TRY(decode_message(bytes, skep_SealedUpdate_fields, &raw));
  raw = bind_sealed_update(std::as_const(message));
  SKEP_TRY(check_canonical(bytes, skep_SealedUpdate_fields, &raw));
  SKEP_TRY(check(message));
  return message;
}

Result<std::size_t> encode(const SealedUpdate& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  const std::size_t size = sealed_ciphertext_offset(message.header.size(), message.enc.size(),
                                                    message.ciphertext.size()) +
                           message.ciphertext.size() + field_head_bytes(kSignatureBytes) +
                           kSignatureBytes;
  if (size > kMaxUpdateBytes) return Status::kInvalidArgument;
  const skep_SealedUpdate raw = bind_sealed_update(message);
  return encode_message(skep_SealedUpdate_fields, &raw, out);
}

std::size_t sealed_ciphertext_offset(std::size_t header_bytes, std::size_t enc_bytes,
                                     std::size_t ciphertext_bytes) {
  return field_head_bytes(header_bytes) + header_bytes + field_head_bytes(enc_bytes) + enc_bytes +
         field_head_bytes(ciphertext_bytes);
}

Result<Update> decode_update(Bytes bytes) {
  SKEP_TRY(check_version(bytes));
  if (bytes.size() > kMaxUpdateBytes) return Status::kTooLarge;
  Update message;
  skep_Update raw = bind_update(message);
  SKEP_TRY(decode_message(bytes, skep_Update_fields, &raw));
  message.sample_count = raw.sample_count;
  message.loss_before_q16 = raw.loss_before_q16;
  message.loss_after_q16 = raw.loss_after_q16;
  raw = bind_update(std::as_const(message));
  SKEP_TRY(check_canonical(bytes, skep_Update_fields, &raw));
  SKEP_TRY(check(message));
  return message;
}

Result<std::size_t> encode(const Update& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  if (update_delta_offset(message) + message.delta.size() > kMaxUpdateBytes) {
    return Status::kInvalidArgument;
  }
  const skep_Update raw = bind_update(message);
  return encode_message(skep_Update_fields, &raw, out);
}

std::size_t update_delta_offset(const Update& message) {
  return varint_field_bytes(1) + field_head_bytes(kShortDigestBytes) + kShortDigestBytes +
         varint_field_bytes(message.sample_count) + varint_field_bytes(message.loss_before_q16) +
         varint_field_bytes(message.loss_after_q16) + field_head_bytes(message.delta.size());
}

}  // namespace skep::wire
