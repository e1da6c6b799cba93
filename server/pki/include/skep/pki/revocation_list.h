// The federation's certificate revocation list (RFC 5280, section 5): X.509 version 2, DER.
//
// skepd does not need it, it reads its database; it is for whoever else trusts the CA. Made by
// OpenSSL's libcrypto, because Mbed TLS reads such lists and writes none.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/pki/certificate.h"
#include "skep/pki/keys.h"

namespace skep::pki {

struct RevokedCertificate {
  std::vector<std::uint8_t> serial;  ///< Big endian, as Certificate::serial.
  std::int64_t revoked_unix_s = 0;
  int reason = 0;  ///< CRLReason, RFC 5280, section 5.3.1; 0 (unspecified) is left out, as it says.
};

struct RevocationList {
  std::uint64_t number = 0;  ///< CRL number: higher than that of every list before.
  std::int64_t this_update_unix_s = 0;
  std::int64_t next_update_unix_s = 0;  ///< After this_update.
  std::vector<RevokedCertificate> certificates;
};

/// Signed by the CA with ECDSA and SHA-256, with CRL number, authority key identifier, and a reason
/// for each entry.
///
/// Errors: PkiError if the key is not the one in the CA's certificate, if next_update is not after
/// this_update, or if OpenSSL fails.
std::vector<std::uint8_t> issue_revocation_list(const Certificate& ca, const PrivateKey& ca_key,
                                                const RevocationList& list);

}  // namespace skep::pki
