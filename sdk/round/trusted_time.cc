#include "skep/round/trusted_time.h"

#include <algorithm>

#include "skep/core/little_endian.h"
#include "skep/model/log_keys.h"
#include "skep/seal/verifiers.h"
#include "skep/version.h"

namespace skep::round {
namespace {

constexpr auto kLogKey = static_cast<std::uint8_t>(model::LogKey::kTimeFloor);
constexpr std::size_t kRecordBytes = 8;

}  // namespace

TrustedTime::TrustedTime(Clock& clock, Entropy& entropy, RecordLog& log,
                         const seal::VerifyingKey& gateway_key, const Federation& federation)
    : clock_(clock),
      entropy_(entropy),
      log_(log),
      gateway_key_(gateway_key),
      federation_(federation),
      floor_unix_s_(kSdkReleasedUnixS) {}

Status TrustedTime::open() {
  std::array<std::uint8_t, kRecordBytes> record{};
  const Result<std::size_t> length = log_.get(kLogKey, record);
  if (length.status() == Status::kNotFound) return Status::kOk;
  if (!length.ok() || *length != record.size()) return Status::kStorageFailed;
  stored_floor_unix_s_ = load_u32(record.data()) | std::uint64_t{load_u32(record.data() + 4)}
                                                       << 32U;
  floor_unix_s_ = std::max(kSdkReleasedUnixS, stored_floor_unix_s_);
  return Status::kOk;
}

Result<Bytes> TrustedTime::ask() {
  asked_ = false;
  SKEP_TRY(entropy_.fill(nonce_));
  asked_ = true;
  asked_at_ms_ = clock_.now_ms();
  return Bytes(nonce_);
}

Status TrustedTime::accept(Bytes answer) {
  SKEP_ASSIGN_OR_RETURN(const seal::VerifiedTime time,
                        seal::TimeVerifier::verify(answer, gateway_key_));
  if (!std::ranges::equal(time->federation, federation_)) return Status::kWrongFederation;
  if (!asked_ || !std::ranges::equal(time->nonce, nonce_)) return Status::kWrongNonce;
  const std::uint64_t now_ms = clock_.now_ms();
  if (now_ms - asked_at_ms_ > kLongestAnswerMs) return Status::kTimeout;
  if (time->unix_s < floor_unix_s_) return Status::kStaleVersion;
  SKEP_TRY(raise_floor(time->unix_s));
  asked_ = false;
  taken_ = true;
  taken_at_ms_ = now_ms;
  taken_unix_s_ = time->unix_s;
  return Status::kOk;
}

Status TrustedTime::raise_floor(std::uint64_t unix_s) {
  if (stored_floor_unix_s_ == 0 || unix_s - stored_floor_unix_s_ >= kFloorStepS) {
    std::array<std::uint8_t, kRecordBytes> record{};
    store_u32(record.data(), static_cast<std::uint32_t>(unix_s));
    store_u32(record.data() + 4, static_cast<std::uint32_t>(unix_s >> 32U));
    SKEP_TRY(log_.put(kLogKey, record));
    stored_floor_unix_s_ = unix_s;
  }
  floor_unix_s_ = unix_s;
  return Status::kOk;
}

Result<std::uint64_t> TrustedTime::now_unix_s() const {
  if (!taken_) return Status::kNotFound;
  return taken_unix_s_ + (clock_.now_ms() - taken_at_ms_) / 1'000;
}

}  // namespace skep::round
