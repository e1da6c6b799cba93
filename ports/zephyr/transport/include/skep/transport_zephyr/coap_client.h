// transport::Client on Zephyr's CoAP library: retransmission (RFC 7252), block-wise transfer (RFC
// 7959) and observation (RFC 7641) over a DatagramChannel.
#pragma once

#include <array>
#include <cstdint>

#include "skep/transport/client.h"
#include "skep/transport_zephyr/coap_message.h"
#include "skep/transport_zephyr/datagram_channel.h"

namespace skep::transport {

/// Retransmission (RFC 7252 section 4.8).
struct CoapTiming {
  std::uint32_t ack_timeout_ms = 2000;  ///< The first one is drawn from 1 … 1.5 times this.
  std::uint8_t max_retransmit = 4;
};

/// The datagrams of a request are made anew for each transmission, so nothing is kept of it but
/// the caller's Request: 2 x kMaxMessageBytes of buffers in all, no heap.
///
/// As transport::Client says, with two differences. The handshake blocks the first poll() after
/// open() (see DtlsSocket). And cancel() ends an upload at once instead of finishing it.
///
/// An observation that was cancelled is told so by a reset when the gateway next notifies it (RFC
/// 7641 section 3.6). A message that all retransmissions left unanswered ends the session, with
/// kTimeout for every request. Timers run on the kernel's uptime.
class CoapClient final : public Client {
 public:
  /// `channel` outlives the client.
  CoapClient(DatagramChannel& channel, const CoapTiming& timing)
      : channel_(channel), timing_(timing) {}
  ~CoapClient() { close(); }
  CoapClient(const CoapClient&) = delete;
  CoapClient& operator=(const CoapClient&) = delete;

  Status open(ResponseHandler& handler) override;
  void close() override;
  [[nodiscard]] SessionState state() const override { return state_; }
  Status send(RequestId id, const Request& request) override;
  void cancel(RequestId id) override;
  void poll() override;
  [[nodiscard]] std::uint32_t next_timeout_ms() override;

 private:
  // One request and where it stands.
  struct Exchange {
    bool active = false;
    std::uint32_t serial = 0;  // tells a request from the next one with the same id
    Request request{};
    coap::Token token{};        // of the request; notifications carry it
    coap::Token block_token{};  // of the request for a further block
    bool awaits_block = false;

    // The message under way.
    std::uint16_t message_id = 0;
    bool unacknowledged = false;
    std::uint64_t due_ms = 0;
    std::uint32_t timeout_ms = 0;
    std::uint8_t transmissions = 0;

    // Block1: what the gateway has.
    std::uint32_t sent_bytes = 0;
    std::uint8_t block1_szx = coap::kLargestSzx;

    // Block2: what we have.
    std::uint32_t received_bytes = 0;
    std::uint8_t block2_szx = coap::kLargestSzx;
    std::array<std::uint8_t, coap::kMaxEtagBytes> etag{};
    std::size_t etag_bytes = 0;

    // The newest notification.
    bool notified = false;
    std::uint32_t observe_number = 0;
    std::uint64_t notified_at_ms = 0;
  };

  // Message ids of the gateway that were handled: a repetition is only acknowledged.
  static constexpr std::size_t kRememberedIds = 8;

  void receive(std::uint64_t now_ms);
  void on_message(const coap::Incoming& message, std::uint64_t now_ms);
  void on_acknowledgement(std::uint16_t message_id);
  void on_reset(std::uint16_t message_id);
  void on_response(const coap::Incoming& message, std::uint64_t now_ms);
  void on_body_taken(RequestId id, const coap::Incoming& message, std::uint64_t now_ms);
  void on_content(RequestId id, const coap::Incoming& message, std::uint64_t now_ms);
  [[nodiscard]] bool is_fresh(Exchange& exchange, const coap::Incoming& message,
                              std::uint64_t now_ms) const;
  [[nodiscard]] bool is_next_block(Exchange& exchange, const coap::Incoming& message) const;
  [[nodiscard]] bool was_handled(std::uint16_t message_id);
  [[nodiscard]] int find_by_token(const coap::Incoming& message) const;
  [[nodiscard]] int find_by_message_id(std::uint16_t message_id) const;

  void begin_message(Exchange& exchange, std::uint64_t now_ms);
  void transmit(Exchange& exchange, std::uint64_t now_ms);
  void retransmit_due(std::uint64_t now_ms);
  void send_empty(coap::Type type, std::uint16_t message_id);
  void fail(RequestId id, Status status);
  void lose_session(Status status);

  DatagramChannel& channel_;
  CoapTiming timing_;
  ResponseHandler* handler_ = nullptr;
  SessionState state_ = SessionState::kClosed;
  bool more_may_wait_ = false;  // poll() left datagrams for the next call
  std::uint32_t next_serial_ = 1;
  std::array<Exchange, kMaxRequests> exchanges_{};
  std::array<std::uint16_t, kRememberedIds> handled_ids_{};
  std::size_t handled_count_ = 0;
  std::array<std::uint8_t, coap::kMaxMessageBytes> received_{};
  std::array<std::uint8_t, coap::kMaxMessageBytes> sent_{};
};

}  // namespace skep::transport
