// One CoAP message (RFC 7252), written and read with Zephyr's CoAP library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "skep/bytes.h"
#include "skep/config.h"
#include "skep/status.h"
#include "skep/transport/client.h"

namespace skep::transport::coap {

inline constexpr std::size_t kTokenBytes = 8;
using Token = std::array<std::uint8_t, kTokenBytes>;

inline constexpr std::size_t kMaxEtagBytes = 8;

/// A request's path, query and other options, with the header.
inline constexpr std::size_t kMaxOptionBytes = 128;
inline constexpr std::size_t kMaxMessageBytes = kCoapBlockBytes + kMaxOptionBytes;

enum class Type : std::uint8_t {
  kConfirmable = 0,
  kNonConfirmable = 1,
  kAcknowledgement = 2,
  kReset = 3
};

inline constexpr std::uint8_t kEmpty = 0;
inline constexpr std::uint8_t kContinue = make_code(2, 31);

/// SZX of kCoapBlockBytes.
inline constexpr std::uint8_t kLargestSzx = [] {
  std::uint8_t szx = 0;
  while ((16U << szx) < kCoapBlockBytes) ++szx;
  return szx;
}();

/// RFC 7959 section 2.2.
struct Block {
  std::uint32_t number = 0;
  bool more = false;
  std::uint8_t szx = kLargestSzx;

  [[nodiscard]] std::uint32_t size_bytes() const { return 16U << szx; }
  [[nodiscard]] std::uint64_t offset() const { return std::uint64_t{number} << (szx + 4U); }
};

/// What is sent besides the caller's Request.
struct OutgoingRequest {
  const Request& request;
  std::uint16_t message_id;
  const Token& token;
  std::uint32_t body_offset;    ///< Of the part of the body that goes with it.
  std::uint8_t block1_szx;      ///< Size of that part.
  std::optional<Block> block2;  ///< Which block of the response is wanted; for GET.
  bool observe;                 ///< Registers; request.observe asks for that once.
};

/// Writes a confirmable request and returns its length.
///
/// Errors: kTooLarge if path, query and options do not fit kMaxOptionBytes.
[[nodiscard]] Result<std::size_t> encode(const OutgoingRequest& request, MutableBytes out);

/// Writes an acknowledgement or a reset without content; `out` has ≥ 4 bytes. Returns its length.
[[nodiscard]] std::size_t encode_empty(Type type, std::uint16_t message_id, MutableBytes out);

/// A received message. `payload` points into the datagram.
struct Incoming {
  Type type{};
  std::uint8_t code = kEmpty;
  std::uint16_t message_id = 0;
  Token token{};
  std::size_t token_bytes = 0;
  Bytes payload{};
  std::array<std::uint8_t, kMaxEtagBytes> etag{};
  std::size_t etag_bytes = 0;
  std::optional<std::uint32_t> observe;
  std::optional<Block> block1;
  std::optional<Block> block2;
  std::uint32_t size2 = 0;  ///< 0 if absent.

  [[nodiscard]] bool is_response() const { return code >> 5U >= 2; }
  [[nodiscard]] bool has_token(const Token& other) const {
    return token_bytes == kTokenBytes && token == other;
  }
};

/// Any bytes whatever may be given.
///
/// Errors: kMalformed if they are no CoAP message, or an option that is known here has an
/// impossible length or value.
[[nodiscard]] Result<Incoming> decode(MutableBytes datagram);

}  // namespace skep::transport::coap
