#include "hello_verifier.h"

#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace skep::app {
namespace {

// A record with a ClientHello: record header (13 bytes), handshake header (12), version (2), random
// (32), then session id and cookie, each after its length in a byte.
constexpr std::size_t kRecordHeaderBytes = 13;
constexpr std::size_t kEpochAt = 3;
constexpr std::size_t kHandshakeTypeAt = 13;
constexpr std::size_t kFragmentOffsetAt = 19;
constexpr std::size_t kBodyAt = 25;
constexpr std::size_t kSessionIdLengthAt = 59;
constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::uint8_t kHelloVerifyRequest = 3;
constexpr std::size_t kCookieLengthAt = 27;  // in a HelloVerifyRequest

bool is_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

// The cookie's length and the cookie; empty if this is no ClientHello.
Bytes cookie_field(Bytes datagram) {
  if (datagram.size() <= kSessionIdLengthAt + 1) return {};
  if (datagram[0] != kHandshakeRecord || datagram[kHandshakeTypeAt] != kClientHello) return {};
  if (!is_zero(datagram.subspan(kEpochAt, 2)) || !is_zero(datagram.subspan(kFragmentOffsetAt, 3))) {
    return {};
  }
  const std::size_t at = kSessionIdLengthAt + 1 + datagram[kSessionIdLengthAt];
  if (at >= datagram.size()) return {};
  const std::size_t length = datagram[at];
  return length < datagram.size() - at ? datagram.subspan(at, 1 + length) : Bytes{};
}

void store_u24(std::uint8_t* at, std::size_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 16U);
  at[1] = static_cast<std::uint8_t>(value >> 8U);
  at[2] = static_cast<std::uint8_t>(value);
}

}  // namespace

HelloVerifier::HelloVerifier() {
  mbedtls_ssl_cookie_init(&cookies_);
  // With PSA, the key comes from its generator.
  if (psa_crypto_init() != PSA_SUCCESS ||
      mbedtls_ssl_cookie_setup(&cookies_, nullptr, nullptr) != 0) {
    throw std::runtime_error("DTLS cookies: no key can be made");
  }
}

HelloVerifier::~HelloVerifier() { mbedtls_ssl_cookie_free(&cookies_); }

// The reply repeats version, sequence numbers and the like of what it answers: that way no two
// HelloVerifyRequests to a client have the same number although none is counted.
HelloJudgement HelloVerifier::judge(Bytes datagram, Bytes peer_id, std::span<std::uint8_t> reply) {
  const Bytes field = cookie_field(datagram);
  if (field.empty() || reply.size() < kReplyBytes) return {};
  const Bytes cookie = field.subspan(1);
  if (mbedtls_ssl_cookie_check(&cookies_, cookie.data(), cookie.size(), peer_id.data(),
                               peer_id.size()) == 0) {
    return {.verdict = HelloVerdict::kVerified, .reply_bytes = 0};
  }
  // Not into the reply: Mbed TLS 3.6.7 asks for the room of a cookie and writes 4 bytes more, the
  // rest of the hash that it shortens (ssl_cookie.c, COOKIE_MD_OUTLEN and COOKIE_HMAC_LEN).
  std::array<std::uint8_t, 64> made{};
  std::uint8_t* end = made.data();
  if (mbedtls_ssl_cookie_write(&cookies_, &end, made.data() + made.size(), peer_id.data(),
                               peer_id.size()) != 0) {
    return {};
  }
  const Bytes fresh(made.data(), static_cast<std::size_t>(end - made.data()));
  const std::size_t size = kCookieLengthAt + 1 + fresh.size();
  if (size > reply.size()) return {};
  std::ranges::copy(datagram.first(kBodyAt), reply.begin());
  std::ranges::copy(fresh, reply.begin() + kCookieLengthAt + 1);
  reply[kHandshakeTypeAt] = kHelloVerifyRequest;
  reply[kBodyAt] = 0xFE;  // DTLS 1.0, which section 4.2.1 asks for whatever is negotiated later
  reply[kBodyAt + 1] = 0xFF;
  reply[kCookieLengthAt] = static_cast<std::uint8_t>(fresh.size());
  store_u24(&reply[kHandshakeTypeAt + 1], size - kBodyAt);
  store_u24(&reply[kFragmentOffsetAt + 3], size - kBodyAt);
  reply[kRecordHeaderBytes - 2] = 0;
  reply[kRecordHeaderBytes - 1] = static_cast<std::uint8_t>(size - kRecordHeaderBytes);
  return {.verdict = HelloVerdict::kUnverified, .reply_bytes = size};
}

}  // namespace skep::app
