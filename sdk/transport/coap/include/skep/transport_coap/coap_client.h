// transport::Client on libcoap and Mbed TLS: CoAP (RFC 7252) over DTLS 1.2 with X.509 certificates
// and Connection ID (RFC 9146).
#pragma once

#include <array>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"
#include "skep/transport/client.h"

struct coap_context_t;
struct coap_session_t;
struct coap_pdu_t;

namespace skep::transport {

/// Where the gateway is and who we are. Everything pointed to outlives the client.
struct CoapEndpoint {
  Bytes gateway_ip{};  ///< 4 (IPv4) or 16 (IPv6) bytes, network order: names need DNS.
  std::uint16_t gateway_port = 5684;
  Bytes ca_certificate{};      ///< X.509 DER; the only trust anchor.
  Bytes device_certificate{};  ///< X.509 DER.
  Bytes device_private_key{};  ///< P-256 scalar, 32 bytes, big endian.
};

/// Retransmission (RFC 7252 section 4.8).
struct CoapTiming {
  std::uint32_t ack_timeout_ms = 2000;  ///< libcoap takes 1,000 or more; below, its 2,000 stay.
  std::uint16_t max_retransmit = 4;
};

/// The gateway is accepted only with a certificate of the federation's CA whose extended key usage
/// is serverAuth, so no device can pose as a gateway.
///
/// On the host libcoap allocates its sessions and datagrams from the C heap; this class does not
/// allocate. libcoap keeps process-wide state: all clients of a process belong to one thread.
/// The private key's DER form is wiped when the client ends.
class CoapClient final : public Client {
 public:
  CoapClient(const CoapEndpoint& endpoint, const CoapTiming& timing);
  ~CoapClient();
  CoapClient(const CoapClient&) = delete;
  CoapClient& operator=(const CoapClient&) = delete;

  Status open(ResponseHandler& handler) override;
  void close() override;
  [[nodiscard]] SessionState state() const override { return state_; }
  Status send(RequestId id, const Request& request) override;
  void cancel(RequestId id) override;
  void poll() override;
  [[nodiscard]] std::uint32_t next_timeout_ms() override;

  /// The gateway's certificate in DER, as the handshake has verified it; empty without a session,
  /// or if Mbed TLS does not keep it (MBEDTLS_SSL_KEEP_PEER_CERTIFICATE). Valid until close().
  [[nodiscard]] Bytes peer_certificate() const;

  /// A file descriptor that becomes readable when poll() has something to do; −1 when closed.
  [[nodiscard]] int wait_fd() const;

 private:
  struct Callbacks;  // libcoap's C callbacks, which need access to the private members below
  friend struct Callbacks;

  static constexpr std::size_t kTokenBytes = 8;
  static constexpr std::size_t kMaxEtagBytes = 8;
  // RFC 5915 ECPrivateKey: a fixed header, the scalar, and the curve's object identifier.
  static constexpr std::size_t kPrivateKeyDerBytes = 51;

  struct Pending {
    bool active = false;
    bool observe = false;
    std::uint8_t token_bytes = 0;
    std::array<std::uint8_t, kTokenBytes> token{};
  };

  Status make_session();
  Status fill_options(const Request& request, coap_pdu_t* pdu) const;
  [[nodiscard]] int find(Bytes token) const;
  void on_pdu(const coap_pdu_t* pdu);
  void on_nack(const coap_pdu_t* pdu, Status status);
  void on_session_lost(Status status);

  CoapEndpoint endpoint_;
  CoapTiming timing_;
  std::array<std::uint8_t, kPrivateKeyDerBytes> private_key_der_{};
  coap_context_t* context_ = nullptr;
  coap_session_t* session_ = nullptr;
  ResponseHandler* handler_ = nullptr;
  SessionState state_ = SessionState::kClosed;
  bool has_news_ = false;  // the handler was called, or the session ended
  std::array<Pending, kMaxRequests> pending_{};
};

}  // namespace skep::transport
