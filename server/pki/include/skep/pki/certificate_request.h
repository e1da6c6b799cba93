// A device's request for a certificate: PKCS#10 (RFC 2986), read and judged by OpenSSL.
#pragma once

#include <string>

#include "skep/bytes.h"
#include "skep/pki/keys.h"

namespace skep::pki {

/// Longest request that is read. One for a P-256 key is about 230 bytes; extensions that somebody's
/// tool asks for may follow.
inline constexpr std::size_t kMaxCertificateRequestBytes = 2048;

struct CertificateRequest {
  std::string common_name;  ///< 1 to 32 of [a-z0-9-].
  PublicKey public_key{};   ///< Whoever made the request has its private key.
};

/// Accepts exactly one DER encoded request of version 1, whose subject is one common name that a
/// device may have, whose key is on P-256 (a named curve), and which that key has signed with
/// ECDSA and SHA-256: the proof of possession. Extensions that it asks for are left out: what a
/// device's certificate may be used for is not the device's to say.
///
/// Errors: PkiError saying which of these does not hold; also if it carries a challengePassword
/// (RFC 7030, section 3.5), because there is nothing to compare it with.
CertificateRequest parse_certificate_request(Bytes der);

}  // namespace skep::pki
