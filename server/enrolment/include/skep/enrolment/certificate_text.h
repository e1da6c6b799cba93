// How the audit log writes down that somebody has a certificate.
#pragma once

#include <string>

#include "skep/bytes.h"

namespace skep::enrolment {

/// "enrolled; certificate sha256 …". Errors: as release::sha256().
std::string with_certificate(const std::string& state, Bytes certificate_der);

}  // namespace skep::enrolment
