#include "skep/round/certificate_dates.h"

#include <cstddef>

namespace skep::round {
namespace {

// DER tags (X.690) of what is on the way to the dates.
constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kUtcTime = 0x17;
constexpr std::uint8_t kGeneralizedTime = 0x18;
constexpr std::uint8_t kSequence = 0x30;
constexpr std::uint8_t kExplicitVersion = 0xA0;

struct Element {
  std::uint8_t tag;
  Bytes content;
};

// Takes the first element from `der`. Lengths are below 64 KiB in the certificates that fit a
// device.
Result<Element> take(Bytes& der) {
  if (der.size() < 2) return Status::kMalformed;
  const std::uint8_t tag = der[0];
  std::size_t length = der[1];
  std::size_t head = 2;
  if (length >= 0x80) {
    const std::size_t count = length - 0x80;
    if (count < 1 || count > 2 || der.size() < 2 + count) return Status::kMalformed;
    length = count == 1 ? der[2] : static_cast<std::size_t>(der[2]) << 8U | der[3];
    head += count;
  }
  if (length > der.size() - head) return Status::kMalformed;
  const Element element{tag, der.subspan(head, length)};
  der = der.subspan(head + length);
  return element;
}

Result<Bytes> take(Bytes& der, std::uint8_t tag) {
  SKEP_ASSIGN_OR_RETURN(const Element element, take(der));
  if (element.tag != tag) return Status::kMalformed;
  return element.content;
}

// Days from 1970-01-01 to a date of the Gregorian calendar, year ≥ 1970. March begins the year, so
// that the leap day is its last one.
constexpr std::uint32_t days_from_1970(std::uint32_t year, std::uint32_t month, std::uint32_t day) {
  if (month <= 2) {
    --year;
    month += 12;
  }
  const std::uint32_t days = 365 * year + year / 4 - year / 100 + year / 400;
  constexpr std::uint32_t kDaysBefore1970 = 719'469;
  return days + (153 * (month - 3) + 2) / 5 + day - kDaysBefore1970;
}
static_assert(days_from_1970(1970, 1, 1) == 0);
static_assert(days_from_1970(2000, 2, 29) == 11'016);
static_assert(days_from_1970(2000, 3, 1) == 11'017);
static_assert(days_from_1970(2100, 3, 1) - days_from_1970(2100, 2, 28) == 1);

constexpr std::uint32_t days_of(std::uint32_t year, std::uint32_t month) {
  const std::uint32_t next =
      month == 12 ? days_from_1970(year + 1, 1, 1) : days_from_1970(year, month + 1, 1);
  return next - days_from_1970(year, month, 1);
}

// Two decimal digits at `at`; above 99 if they are none.
std::uint32_t two_digits(Bytes text, std::size_t at) {
  const auto digit = [&](std::size_t i) -> std::uint32_t {
    return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 100;
  };
  return 10 * digit(at) + digit(at + 1);
}

Result<std::uint64_t> take_time(Bytes& der) {
  SKEP_ASSIGN_OR_RETURN(const Element time, take(der));
  const bool has_century = time.tag == kGeneralizedTime;
  if (!has_century && time.tag != kUtcTime) return Status::kMalformed;
  Bytes text = time.content;
  if (text.size() != (has_century ? 15U : 13U) || text.back() != 'Z') return Status::kMalformed;
  std::uint32_t year = two_digits(text, 0);
  if (year > 99) return Status::kMalformed;
  if (has_century) {
    const std::uint32_t rest = two_digits(text, 2);
    if (rest > 99) return Status::kMalformed;
    year = 100 * year + rest;
    text = text.subspan(2);
  } else {
    year += year < 50 ? 2000 : 1900;
  }
  const std::uint32_t month = two_digits(text, 2);
  const std::uint32_t day = two_digits(text, 4);
  const std::uint32_t hour = two_digits(text, 6);
  const std::uint32_t minute = two_digits(text, 8);
  const std::uint32_t second = two_digits(text, 10);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of(year, month) ||
      hour > 23 || minute > 59 || second > 59) {
    return Status::kMalformed;
  }
  return std::uint64_t{days_from_1970(year, month, day)} * 86'400 + hour * 3'600 + minute * 60 +
         second;
}

}  // namespace

Result<CertificateDates> read_certificate_dates(Bytes certificate_der) {
  SKEP_ASSIGN_OR_RETURN(Bytes certificate, take(certificate_der, kSequence));
  SKEP_ASSIGN_OR_RETURN(Bytes to_be_signed, take(certificate, kSequence));
  if (!to_be_signed.empty() && to_be_signed[0] == kExplicitVersion) {
    SKEP_TRY(take(to_be_signed).status());
  }
  SKEP_TRY(take(to_be_signed, kInteger).status());   // serial number
  SKEP_TRY(take(to_be_signed, kSequence).status());  // signature algorithm
  SKEP_TRY(take(to_be_signed, kSequence).status());  // issuer
  SKEP_ASSIGN_OR_RETURN(Bytes validity, take(to_be_signed, kSequence));
  CertificateDates dates;
  SKEP_ASSIGN_OR_RETURN(dates.not_before_unix_s, take_time(validity));
  SKEP_ASSIGN_OR_RETURN(dates.not_after_unix_s, take_time(validity));
  if (!validity.empty()) return Status::kMalformed;
  return dates;
}

Status check_certificate_dates(Bytes certificate_der, std::uint64_t now_unix_s) {
  SKEP_ASSIGN_OR_RETURN(const CertificateDates dates, read_certificate_dates(certificate_der));
  const bool is_valid =
      dates.not_before_unix_s <= now_unix_s && now_unix_s <= dates.not_after_unix_s;
  return is_valid ? Status::kOk : Status::kRejected;
}

}  // namespace skep::round
