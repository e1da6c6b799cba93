// What time it is, for a device whose clock nobody set: the gateway says so, signed.
#pragma once

#include <array>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/core/record_log.h"
#include "skep/platform.h"
#include "skep/seal/signature.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::round {

/// Asks and judges; who carries request and answer (wire::kTimePath) is not its business.
///
/// A time is taken if the federation's key signed it together with the random bytes that this
/// device has just sent: so it is not recorded, and no older than the answer took. It is never
/// before the floor, which only rises: the release of this SDK (kSdkReleasedUnixS), and each time
/// that was taken. The floor is in the log, written at most once for each day of it, so that a
/// reset puts it back by a day at most and flash does not wear. What remains: a gateway that has
/// the key can say any later time.
///
/// No heap; sizeof < 160 B. Not thread-safe.
class TrustedTime {
 public:
  /// An answer that took longer is refused: whoever held it back would put the time back by so
  /// much.
  static constexpr std::uint32_t kLongestAnswerMs = 60'000;
  static constexpr std::uint64_t kFloorStepS = 86'400;

  using Nonce = std::array<std::uint8_t, wire::kNonceBytes>;
  using Federation = std::array<std::uint8_t, wire::kFederationBytes>;

  /// The first three outlive the object; `log` is open.
  TrustedTime(Clock& clock, Entropy& entropy, RecordLog& log, const seal::VerifyingKey& gateway_key,
              const Federation& federation);

  /// Reads the floor of earlier lives.
  /// Errors: kStorageFailed.
  Status open();

  /// What to send now: random bytes. An answer to any that were sent before is refused from now on.
  /// The span is valid until the next call of ask().
  /// Errors: kNoEntropy.
  [[nodiscard]] Result<Bytes> ask();

  /// Takes an answer, an encoded SignedTime. After an error, time and floor are as before.
  /// Errors: those of seal::TimeVerifier::verify; kWrongFederation; kWrongNonce if it is not the
  /// answer to the last ask(), or was taken before; kTimeout after kLongestAnswerMs; kStaleVersion
  /// if it is before the floor; kStorageFailed.
  Status accept(Bytes answer);

  /// Seconds since 1970: the time that was taken, and what the Clock has counted since.
  /// Errors: kNotFound before the first one since the start.
  [[nodiscard]] Result<std::uint64_t> now_unix_s() const;

  /// Seconds since 1970: it is not earlier.
  [[nodiscard]] std::uint64_t floor_unix_s() const { return floor_unix_s_; }

 private:
  Status raise_floor(std::uint64_t unix_s);

  Clock& clock_;
  Entropy& entropy_;
  RecordLog& log_;
  seal::VerifyingKey gateway_key_;
  Federation federation_;
  Nonce nonce_{};
  bool asked_ = false;
  bool taken_ = false;
  std::uint64_t asked_at_ms_ = 0;
  std::uint64_t taken_at_ms_ = 0;
  std::uint64_t taken_unix_s_ = 0;
  std::uint64_t floor_unix_s_;
  std::uint64_t stored_floor_unix_s_ = 0;  // 0 = none
};

}  // namespace skep::round
