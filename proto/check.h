// The ranges that skep.proto's comments give, one function a message.
//
// Errors of all: kMalformed, kUnsupported, kUnsupportedVersion (see skep/wire/codec.h); those of
// a ModelSpec also kTooLarge.
#pragma once

#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "skep/wire/codec.h"

namespace skep::wire {

Status check(const RoundPlan& message);
Status check(const SignedRoundPlan& message);
Status check(const UpdateHeader& message);
Status check(const SealedUpdate& message);
Status check(const Update& message);
Status check(const Receipt& message);
Status check(const ModelManifest& message);
Status check(const ModelPackage& message);
Status check(const ModelPatch& message);
Status check(const Problem& message);
Status check(const GatewayTime& message);
Status check(const SignedTime& message);
Status check(const DeviceCredentials& message);

/// An enum field's number as it was decoded. Loading a number that the enum lacks as an enum
/// would be undefined behaviour, hence the copy of its bytes.
template <typename Enum>
std::uint32_t number_of(const Enum& field) {
  std::underlying_type_t<Enum> number;
  static_assert(sizeof(number) == sizeof(field));
  std::memcpy(&number, &field, sizeof(number));
  return static_cast<std::uint32_t>(number);
}

/// 0 is every enum's "unspecified", which is not valid anywhere.
inline Status check_enum(std::uint32_t number, std::initializer_list<std::uint32_t> implemented) {
  if (number == 0) return Status::kMalformed;
  for (const std::uint32_t known : implemented) {
    if (number == known) return Status::kOk;
  }
  return Status::kUnsupported;
}

inline Status require(bool condition) { return condition ? Status::kOk : Status::kMalformed; }

inline bool in_range(std::uint32_t value, std::uint32_t low, std::uint32_t high) {
  return value >= low && value <= high;
}

}  // namespace skep::wire
