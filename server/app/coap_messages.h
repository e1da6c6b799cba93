// Small pieces of CoAP requests and responses, on libcoap's C interface.
#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <optional>
#include <string>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::app {

/// Adds an option with an unsigned value in its shortest form. False if the PDU has no room.
bool add_uint_option(coap_pdu_t* pdu, std::uint16_t number, std::uint32_t value);

/// The value of an unsigned option; none if it is absent or longer than four bytes.
[[nodiscard]] std::optional<std::uint32_t> uint_option(const coap_pdu_t* pdu, std::uint16_t number);

/// "address:port".
[[nodiscard]] std::string text_of(const coap_address_t& address);
/// The same of a session's peer.
[[nodiscard]] std::string remote_of(const coap_session_t* session);

/// Payload of a request; empty if it has none.
[[nodiscard]] Bytes payload_of(const coap_pdu_t* pdu);

[[nodiscard]] Bytes token_of(const coap_pdu_t* pdu);

/// Sets code, content format and Max-Age (on 5.03 and 4.29), and the body: a Problem.
void set_problem(coap_pdu_t* response, Status status, const std::string& detail,
                 unsigned retry_after_s);

/// The same, with a code that is not the status' own.
void set_problem(coap_pdu_t* response, std::uint8_t code, Status status, const std::string& detail,
                 unsigned retry_after_s);

/// Whether one of the request's ETags is `etag` (RFC 7252, section 5.10.6.2).
[[nodiscard]] bool has_etag(const coap_pdu_t* request, Bytes etag);

/// What set_block_of() sent.
struct SentBlock {
  std::size_t bytes = 0;
  bool is_last = false;  ///< Of the body.
};

/// Answers 2.05 with the block of `body` that the request asks for, 4.00 if there is no such (then
/// nothing was sent). Blocks are at most kCoapBlockBytes long.
///
/// Without state: each block is a request of its own. That suits content that never changes.
SentBlock set_block_of(coap_pdu_t* response, const coap_pdu_t* request, Bytes body, Bytes etag);

}  // namespace skep::app
