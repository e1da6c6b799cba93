#include "time_signer.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "skep/wire/codec.h"

namespace skep::app {
namespace {

template <typename T>
T require(Result<T> result) {
  if (!result.ok())
    throw std::runtime_error(std::string("signing the time: ") + to_string(result.status()));
  return std::move(*result);
}

}  // namespace

TimeSigner::TimeSigner(const seal::SigningKey& key, const store::FederationId& federation,
                       std::function<std::int64_t()> now_unix_s)
    : key_(&key), federation_(federation), now_unix_s_(std::move(now_unix_s)) {}

std::vector<std::uint8_t> TimeSigner::answer(Bytes nonce) const {
  wire::GatewayTime time{};
  time.version = 1;
  std::ranges::copy(federation_, time.federation);
  std::ranges::copy(nonce, time.nonce);
  time.unix_s = static_cast<std::uint64_t>(now_unix_s_());
  std::vector<std::uint8_t> bytes(wire::kMaxGatewayTimeBytes);
  bytes.resize(require(wire::encode(time, bytes)));
  const seal::Signature signature = require(key_->sign(seal::Domain::kGatewayTime, bytes));
  std::vector<std::uint8_t> message(wire::kMaxSignedTimeBytes);
  message.resize(require(wire::encode(wire::SignedTime{bytes, signature}, message)));
  return message;
}

}  // namespace skep::app
