// A CoAP client over a mutually authenticated DTLS session, as the round's state machine sees it.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::transport {

/// Chosen by the caller; names a request until it was answered, failed or cancelled.
using RequestId = std::uint8_t;

/// RequestIds are 0 … kMaxRequests − 1; at most one request of each is under way.
inline constexpr RequestId kMaxRequests = 4;

enum class Method : std::uint8_t { kGet = 1, kPost = 2, kDelete = 4 };

/// CoAP content formats (RFC 7252 section 12.3) used on the wire.
inline constexpr std::uint16_t kOctetStream = 42;

/// All pointers and spans outlive the request: until its last response, failure or cancel() (but
/// see there for bodies).
struct Request {
  Method method = Method::kGet;
  const char* path = "";   ///< Without a leading slash, e.g. "skep/v1/round".
  const char* query = "";  ///< e.g. "v=3"; empty for none.
  Bytes body{};            ///< Sent block-wise (RFC 7959) when it does not fit one block.
  Bytes etag{};            ///< 0 … 8 bytes: answer 2.03 when the content still has this tag.
  bool observe = false;    ///< Registers as an observer (RFC 7641): further responses follow.
};

/// CoAP response codes as in RFC 7252: class << 5 | detail.
inline constexpr std::uint8_t make_code(unsigned code_class, unsigned detail) {
  return static_cast<std::uint8_t>(code_class << 5U | detail);
}
inline constexpr std::uint8_t kValid = make_code(2, 3);
inline constexpr std::uint8_t kContent = make_code(2, 5);
[[nodiscard]] inline constexpr bool is_success(std::uint8_t code) { return code >> 5U == 2; }

/// One response, or one block of a block-wise response: blocks arrive in order, each once.
struct Response {
  std::uint8_t code = 0;
  Bytes payload{};                ///< Valid during the call only.
  std::uint32_t offset = 0;       ///< Of `payload` in the whole body.
  std::uint32_t total_bytes = 0;  ///< Of the whole body; 0 if the peer did not say.
  bool last = true;               ///< `payload` ends the body.
  Bytes etag{};                   ///< 0 … 8 bytes. Valid during the call only.
  /// Max-Age, 0 if absent (not its default): after a 4.29 (RFC 8516) or 5.03, when to ask again.
  std::uint32_t max_age_s = 0;
};

/// Receives what the client hears; called from within Client::poll(), send() and
/// next_timeout_ms() only. A handler may call send() and cancel(), never open(), close() or poll().
class ResponseHandler {
 public:
  virtual void on_response(RequestId id, const Response& response) = 0;

  /// The request ended without a response: kTimeout after all retransmissions, kUnreachable when
  /// the session broke, kRejected when the peer reset it, kMalformed on broken block-wise transfer.
  virtual void on_failure(RequestId id, Status status) = 0;

 protected:
  ~ResponseHandler() = default;
};

enum class SessionState : std::uint8_t { kClosed, kHandshaking, kEstablished };

/// Not thread-safe; never blocks; a call does at most one datagram's worth of cryptography.
class Client {
 public:
  /// Starts a DTLS handshake with the gateway; the session is up when state() says kEstablished.
  /// An open session is closed first.
  ///
  /// Errors: kUnreachable if no socket can be made; kInvalidArgument if the credentials do not
  /// parse; kNoMemory.
  virtual Status open(ResponseHandler& handler) = 0;

  /// Ends the session. Requests under way are forgotten without a callback.
  virtual void close() = 0;

  [[nodiscard]] virtual SessionState state() const = 0;

  /// Sends a request on the established session.
  ///
  /// Errors: kInvalidArgument (id or etag out of range, id under way); kUnreachable if the session
  /// is not established; kNoMemory.
  virtual Status send(RequestId id, const Request& request) = 0;

  /// Stops observing or waiting: no callback for this id follows. A body that is being sent
  /// block-wise goes on, so its memory is needed unchanged until close().
  virtual void cancel(RequestId id) = 0;

  /// Handles what has arrived and what is due.
  virtual void poll() = 0;

  /// Milliseconds after which poll() is due although nothing arrives (retransmissions); 0 if the
  /// handler has just been called. UINT32_MAX if nothing is due.
  [[nodiscard]] virtual std::uint32_t next_timeout_ms() = 0;

 protected:
  ~Client() = default;
};

}  // namespace skep::transport
