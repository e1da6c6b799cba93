// POST skep/v1/updates: the envelope, its header, and (after decryption) the update itself.
#include "invariant.h"
#include "skep/wire/codec.h"

namespace skep::fuzz {
namespace {

void check_sealed(Bytes bytes) {
  const Result<wire::SealedUpdate> sealed = wire::decode_sealed_update(bytes);
  if (!sealed.ok()) return;
  for (const Bytes view : {sealed->header, sealed->enc, sealed->ciphertext, sealed->signature}) {
    require(contains(bytes, view), "views lie in the input");
  }
  require_round_trip(*sealed, bytes);
  decode_and_check(wire::decode_update_header, sealed->header);
}

void check_update(Bytes bytes) {
  const Result<wire::Update> update = wire::decode_update(bytes);
  if (!update.ok()) return;
  require(contains(bytes, update->base_digest) && contains(bytes, update->delta),
          "views lie in the input");
  require(update->delta.data() == bytes.data() + wire::update_delta_offset(*update),
          "the delta is where update_delta_offset() says");
  require_round_trip(*update, bytes);
}

}  // namespace
}  // namespace skep::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const skep::Bytes bytes(data, size);
  skep::fuzz::check_sealed(bytes);
  skep::fuzz::check_update(bytes);
  skep::fuzz::decode_and_check(skep::wire::decode_update_header, bytes);
  return 0;
}
