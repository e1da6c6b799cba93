// SHA-256 (FIPS 180-4), in pieces or at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::seal {

inline constexpr std::size_t kSha256Bytes = 32;
using Sha256Digest = std::array<std::uint8_t, kSha256Bytes>;

/// A hash in progress.
///
/// An error sticks: once a call has failed, all further ones answer the same, so that a caller
/// who only checks finish() never gets the hash of a part. One object is used by one thread.
/// No heap of its own; sizeof ≤ 256.
///
/// Errors of all calls: kCryptoFailed; kNoMemory.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Status update(Bytes bytes);

  /// Ends the hash. Also kInvalidArgument for update() and finish() after it.
  Result<Sha256Digest> finish();

 private:
  static constexpr std::size_t kOperationBytes = 248;

  // A psa_hash_operation_t, hidden so that users of this header need no header of Mbed TLS.
  alignas(8) std::array<std::uint8_t, kOperationBytes> operation_;
  Status status_;
};

/// Errors: kCryptoFailed; kNoMemory.
Result<Sha256Digest> sha256(Bytes bytes);

/// Reads `source` in pieces of 256 B, which are on the stack.
/// Errors: as above; kStorageFailed from the source.
Result<Sha256Digest> sha256(const ByteSource& source);

}  // namespace skep::seal
