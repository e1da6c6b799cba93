// When a certificate is valid, for devices whose TLS library knows no time.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::transport {

/// Seconds since 1970, UTC; both ends are included.
struct CertificateDates {
  std::uint64_t not_before_unix_s = 0;
  std::uint64_t not_after_unix_s = 0;
};

/// Reads the validity of an X.509 certificate in DER (RFC 5280, section 4.1.2.5). Nothing else of
/// it is judged: that it is authentic is for the handshake, or for whoever stored it.
///
/// Mbed TLS parses it, in its own memory.
/// Errors: kMalformed, also for dates before 1970; kNoMemory.
[[nodiscard]] Result<CertificateDates> read_certificate_dates(Bytes certificate_der);

/// kOk if `now_unix_s` is within the certificate's dates.
/// Errors: kRejected if it is not; those of read_certificate_dates().
Status check_certificate_dates(Bytes certificate_der, std::uint64_t now_unix_s);

}  // namespace skep::transport
