// Flat messages: decoded into a struct of nanopb's, which holds all of the content.
#include "skep/wire/codec.h"

#include "check.h"
#include "nanopb_stream.h"

namespace skep::wire {
namespace {

template <typename Message>
struct Layout;  // the descriptor and the largest encoding of a message

#define SKEP_WIRE_LAYOUT(Message, latest_version)                               \
  template <>                                                                   \
  struct Layout<Message> {                                                      \
    static const pb_msgdesc_t* descriptor() { return skep_##Message##_fields; } \
    static constexpr std::size_t kMaxBytes = skep_##Message##_size;             \
    static constexpr std::uint32_t kLatestVersion = latest_version;             \
  }

SKEP_WIRE_LAYOUT(RoundPlan, kRoundPlanVersion);
SKEP_WIRE_LAYOUT(UpdateHeader, 1);
SKEP_WIRE_LAYOUT(Receipt, 1);
SKEP_WIRE_LAYOUT(ModelManifest, 1);
SKEP_WIRE_LAYOUT(Problem, 1);
SKEP_WIRE_LAYOUT(GatewayTime, 1);
SKEP_WIRE_LAYOUT(DeviceCredentials, 1);
#undef SKEP_WIRE_LAYOUT

static_assert(skep_ModelManifest_size <= kMaxManifestBytes);

template <typename Message>
Status decode_into(Bytes bytes, Message& message) {
  SKEP_TRY(check_version(bytes, Layout<Message>::kLatestVersion));
  if (bytes.size() > Layout<Message>::kMaxBytes) return Status::kTooLarge;
  message = Message{};
  SKEP_TRY(decode_message(bytes, Layout<Message>::descriptor(), &message));
  SKEP_TRY(check_canonical(bytes, Layout<Message>::descriptor(), &message));
  return check(message);
}

template <typename Message>
Result<Message> decode(Bytes bytes) {
  Message message;
  SKEP_TRY(decode_into(bytes, message));
  return message;
}

template <typename Message>
Result<std::size_t> encode_flat(const Message& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  return encode_message(Layout<Message>::descriptor(), &message, out);
}

}  // namespace

Result<RoundPlan> decode_round_plan(Bytes bytes) { return decode<RoundPlan>(bytes); }
Result<UpdateHeader> decode_update_header(Bytes bytes) { return decode<UpdateHeader>(bytes); }
Result<Receipt> decode_receipt(Bytes bytes) { return decode<Receipt>(bytes); }
Result<ModelManifest> decode_model_manifest(Bytes bytes) { return decode<ModelManifest>(bytes); }
Status read_model_manifest(Bytes bytes, ModelManifest& out) { return decode_into(bytes, out); }
Result<Problem> decode_problem(Bytes bytes) { return decode<Problem>(bytes); }
Result<GatewayTime> decode_gateway_time(Bytes bytes) { return decode<GatewayTime>(bytes); }

Result<DeviceCredentials> decode_device_credentials(Bytes bytes) {
  return decode<DeviceCredentials>(bytes);
}
Status decode_device_credentials(Bytes bytes, DeviceCredentials& out) {
  return decode_into(bytes, out);
}

Result<std::size_t> encode(const RoundPlan& message, MutableBytes out) {
  return encode_flat(message, out);
}
Result<std::size_t> encode(const UpdateHeader& message, MutableBytes out) {
  return encode_flat(message, out);
}
Result<std::size_t> encode(const Receipt& message, MutableBytes out) {
  return encode_flat(message, out);
}
Result<std::size_t> encode(const ModelManifest& message, MutableBytes out) {
  return encode_flat(message, out);
}
Result<std::size_t> encode(const Problem& message, MutableBytes out) {
  return encode_flat(message, out);
}
Result<std::size_t> encode(const GatewayTime& message, MutableBytes out) {
  return encode_flat(message, out);
}
Result<std::size_t> encode(const DeviceCredentials& message, MutableBytes out) {
  return encode_flat(message, out);
}

}  // namespace skep::wire
