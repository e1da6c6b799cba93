// CoAP response codes: the one table from Status to what a gateway answers.
#pragma once

#include <cstdint>

#include "skep/status.h"

namespace skep::wire {

/// A code as it travels, e.g. coap_code(4, 13) is 0x8D (RFC 7252, section 3).
[[nodiscard]] constexpr std::uint8_t coap_code(unsigned code_class, unsigned detail) {
  return static_cast<std::uint8_t>((code_class << 5U) | detail);
}

inline constexpr std::uint8_t kCodeDeleted = coap_code(2, 2);
inline constexpr std::uint8_t kCodeValid = coap_code(2, 3);  ///< The ETag sent is current.
inline constexpr std::uint8_t kCodeChanged = coap_code(2, 4);
inline constexpr std::uint8_t kCodeContent = coap_code(2, 5);

/// One device asks too often: RFC 8516, sent with Max-Age and a Problem of kBusy. (A gateway that
/// is busy as a whole answers response_code(kBusy), 5.03.)
inline constexpr std::uint8_t kCodeTooManyRequests = coap_code(4, 29);

/// The code for the outcome of a request; docs/reference/wire.md has the table. kOk is 2.04, the
/// answer to a POST (a GET answers kCodeContent or kCodeValid).
[[nodiscard]] std::uint8_t response_code(Status status);

}  // namespace skep::wire
