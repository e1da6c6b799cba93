// The gateway's cryptography without the gateway.
#pragma once

#include <filesystem>

#include "session.h"
#include "skep/seal/envelope.h"
#include "skep/wire/codec.h"

namespace skep::bench {

/// Verifies and opens updates as intake does; nothing else.
class Opener {
 public:
  /// `directory`: of the federation. Throws std::exception if its aggregation key does not load.
  Opener(const std::filesystem::path& directory, const wire::RoundPlan& plan);

  /// Returns the content, valid until the next call. Throws std::runtime_error if it is not
  /// genuine.
  wire::Update open(Bytes update, const seal::VerifyingKey& device);

 private:
  seal::AggregationKey key_;
  Buffer plaintext_;
};

/// Throws std::runtime_error if the credentials have no valid key.
seal::VerifyingKey verifying_key_of(const wire::DeviceCredentials& credentials);

}  // namespace skep::bench
