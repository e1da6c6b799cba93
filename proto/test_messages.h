// A valid message of each kind for the tests of this folder. Views point to static memory.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "skep/wire/codec.h"

namespace skep::wire::testing_messages {

using Buffer = std::vector<std::uint8_t>;

RoundPlan round_plan();
SignedRoundPlan signed_round_plan();
UpdateHeader update_header();
SealedUpdate sealed_update();
Update update();
Receipt receipt();
ModelManifest model_manifest();
ModelPackage model_package();
ModelPatch model_patch();
Problem problem();
GatewayTime gateway_time();
SignedTime signed_time();
DeviceCredentials device_credentials();

/// The bytes of a message; empty, and the running test fails, if it does not encode.
template <typename Message>
Buffer encoded(const Message& message);

/// One decoder with what a test needs to know of it, so that one test serves them all.
struct Decoder {
  std::string name;
  bool has_version;
  std::size_t max_bytes;
  Buffer valid;
  std::function<Status(Bytes)> decode;
  std::function<Buffer(Bytes)> reencode;                 // of bytes that decode
  std::function<Status(std::size_t)> encode_valid_into;  // with room for so many bytes
};
inline std::ostream& operator<<(std::ostream& out, const Decoder& decoder) {
  return out << decoder.name;
}

std::vector<Decoder> decoders();

/// The top-level fields of a valid message, each with its tag.
std::vector<Buffer> fields_of(const Buffer& message);

}  // namespace skep::wire::testing_messages
