// Certificates as EST hands them out: a PKCS#7 SignedData without content or signatures.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/bytes.h"
#include "skep/pki/error.h"

namespace skep::pki {

/// The degenerate case of RFC 2315, section 9.1 ("certs-only", RFC 8551, section 3.8), DER, with
/// one certificate.
/// Errors: PkiError if `certificate_der` is no certificate.
std::vector<std::uint8_t> certs_only(Bytes certificate_der);

}  // namespace skep::pki
