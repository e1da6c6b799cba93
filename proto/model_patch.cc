// A whole ModelPatch in memory, as the gateway and the tests have it; nothing is copied.
#include <utility>

#include "check.h"
#include "nanopb_stream.h"
#include "skep/wire/codec.h"

namespace skep::wire {
namespace {

// The base version is for encoding; decoding overwrites it.
template <typename Views>
skep_ModelPatch bind_model_patch(Views& views) {
  skep_ModelPatch raw{};
  raw.version = 1;
  raw.base_version = views.base_version;
  bind(raw.manifest, views.manifest);
  bind(raw.signature, views.signature);
  bind(raw.difference, views.difference);
  return raw;
}

std::size_t encoded_bytes(const ModelPatch& message) {
  return 2 + 1 + varint_bytes(message.base_version) + field_head_bytes(message.manifest.size()) +
         message.manifest.size() + field_head_bytes(kSignatureBytes) + kSignatureBytes +
         field_head_bytes(message.difference.size()) + message.difference.size();
}

}  // namespace

Result<ModelPatch> decode_model_patch(Bytes bytes) {
  SKEP_TRY(check_version(bytes));
  if (bytes.size() > kMaxPackageBytes) return Status::kTooLarge;
  ModelPatch message;
  skep_ModelPatch raw = bind_model_patch(message);
  SKEP_TRY(decode_message(bytes, skep_ModelPatch_fields, &raw));
  message.base_version = raw.base_version;
  raw = bind_model_patch(std::as_const(message));
  SKEP_TRY(check_canonical(bytes, skep_ModelPatch_fields, &raw));
  SKEP_TRY(check(message));
  return message;
}

Result<std::size_t> encode(const ModelPatch& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  if (encoded_bytes(message) > kMaxPackageBytes) return Status::kInvalidArgument;
  const skep_ModelPatch raw = bind_model_patch(message);
  return encode_message(skep_ModelPatch_fields, &raw, out);
}

}  // namespace skep::wire
