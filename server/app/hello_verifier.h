// The half of the DTLS handshake that needs no state: cookies (RFC 6347, section 4.2.1).
#pragma once

#include <mbedtls/ssl_cookie.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"

namespace skep::app {

enum class HelloVerdict : std::uint8_t {
  kVerified,    ///< Its sender has received a cookie at this address within the last minute.
  kUnverified,  ///< A HelloVerifyRequest is to be sent; nothing is to be kept.
  kMalformed,   ///< Not a ClientHello: no answer.
};

struct HelloJudgement {
  HelloVerdict verdict = HelloVerdict::kMalformed;
  std::size_t reply_bytes = 0;  ///< Of the HelloVerifyRequest.
};

/// A HelloVerifyRequest is never longer than the ClientHello that it answers, so that nobody's
/// traffic can be multiplied.
///
/// Keeps a key, and nothing of any peer. Not thread-safe.
class HelloVerifier {
 public:
  static constexpr std::size_t kReplyBytes = 60;

  /// Errors: std::runtime_error if there is no randomness.
  HelloVerifier();
  ~HelloVerifier();

  /// `datagram` is what has come from the peer that `peer_id` names (address and port). Writes the
  /// reply of kUnverified. kMalformed if `reply` is shorter than kReplyBytes.
  [[nodiscard]] HelloJudgement judge(Bytes datagram, Bytes peer_id, std::span<std::uint8_t> reply);

  /// For the sessions that go on with what is verified here.
  [[nodiscard]] mbedtls_ssl_cookie_ctx* cookies() { return &cookies_; }

  HelloVerifier(const HelloVerifier&) = delete;
  HelloVerifier& operator=(const HelloVerifier&) = delete;

 private:
  mbedtls_ssl_cookie_ctx cookies_;
};

}  // namespace skep::app
