#include "skep/enrolment/certificate_text.h"

#include "skep/release/package.h"

namespace skep::enrolment {

std::string with_certificate(const std::string& state, Bytes certificate_der) {
  return state + "; certificate sha256 " + release::to_hex(release::sha256(certificate_der));
}

}  // namespace skep::enrolment
