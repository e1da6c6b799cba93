// What a device reads as an answer (Receipt, Problem, SignedTime), and its credentials file.
#include "invariant.h"
#include "skep/wire/codec.h"
#include "skep/wire/problem.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skep;
  const Bytes bytes(data, size);
  fuzz::decode_and_check(wire::decode_receipt, bytes);
  fuzz::decode_and_check(wire::decode_problem, bytes);
  fuzz::decode_and_check(wire::decode_gateway_time, bytes);
  const Result<wire::SignedTime> time = wire::decode_signed_time(bytes);
  if (time.ok()) {
    fuzz::require(fuzz::contains(bytes, time->time) && fuzz::contains(bytes, time->signature),
                  "views lie in the input");
    fuzz::require_round_trip(*time, bytes);
  }
  fuzz::decode_and_check<wire::DeviceCredentials>(
      [](Bytes input) { return wire::decode_device_credentials(input); }, bytes);
  const Result<wire::Problem> problem = wire::decode_problem(bytes);
  if (problem.ok()) fuzz::require(wire::status_of(*problem) != Status::kOk, "a problem is not ok");
  return 0;
}
