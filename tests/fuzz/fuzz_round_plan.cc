// GET skep/v1/round: the signed envelope and the plan in it.
#include "invariant.h"
#include "skep/wire/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skep;
  const Bytes bytes(data, size);
  const Result<wire::SignedRoundPlan> message = wire::decode_signed_round_plan(bytes);
  if (message.ok()) {
    fuzz::require(fuzz::contains(bytes, message->plan) && fuzz::contains(bytes, message->signature),
                  "views lie in the input");
    fuzz::require_round_trip(*message, bytes);
    fuzz::decode_and_check(wire::decode_round_plan, message->plan);
  }
  fuzz::decode_and_check(wire::decode_round_plan, bytes);
  return 0;
}
