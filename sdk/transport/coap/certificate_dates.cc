#include "skep/transport_coap/certificate_dates.h"

#include <mbedtls/x509_crt.h>

#include <chrono>

namespace skep::transport {
namespace {

// Seconds since 1970; kMalformed for an earlier date. That it is one Mbed TLS has checked.
Result<std::uint64_t> unix_s(const mbedtls_x509_time& time) {
  const std::chrono::sys_days day = std::chrono::year(time.year) / time.mon / time.day;
  const std::chrono::sys_seconds second = day + std::chrono::hours(time.hour) +
                                          std::chrono::minutes(time.min) +
                                          std::chrono::seconds(time.sec);
  const auto since_1970 = second.time_since_epoch().count();
  if (since_1970 < 0) return Status::kMalformed;
  return static_cast<std::uint64_t>(since_1970);
}

Result<CertificateDates> dates_of(const mbedtls_x509_crt& certificate) {
  CertificateDates dates;
  SKEP_ASSIGN_OR_RETURN(dates.not_before_unix_s, unix_s(certificate.valid_from));
  SKEP_ASSIGN_OR_RETURN(dates.not_after_unix_s, unix_s(certificate.valid_to));
  return dates;
}

}  // namespace

Result<CertificateDates> read_certificate_dates(Bytes certificate_der) {
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  const int error = mbedtls_x509_crt_parse_der_nocopy(&certificate, certificate_der.data(),
                                                      certificate_der.size());
  const Result<CertificateDates> dates = error == 0 ? dates_of(certificate)
                                         : error == MBEDTLS_ERR_X509_ALLOC_FAILED
                                             ? Result<CertificateDates>(Status::kNoMemory)
                                             : Result<CertificateDates>(Status::kMalformed);
  mbedtls_x509_crt_free(&certificate);
  return dates;
}

Status check_certificate_dates(Bytes certificate_der, std::uint64_t now_unix_s) {
  SKEP_ASSIGN_OR_RETURN(const CertificateDates dates, read_certificate_dates(certificate_der));
  const bool is_valid =
      dates.not_before_unix_s <= now_unix_s && now_unix_s <= dates.not_after_unix_s;
  return is_valid ? Status::kOk : Status::kRejected;
}

}  // namespace skep::transport
