// DatagramChannel on a DTLS 1.2 socket of Zephyr, with X.509 certificates and Connection ID.
#pragma once

#include <array>
#include <cstdint>

#include "skep/transport_zephyr/datagram_channel.h"

namespace skep::transport {

/// Where the gateway is and who we are. Everything pointed to outlives the socket.
struct DtlsEndpoint {
  Bytes gateway_ip{};  ///< 4 (IPv4) or 16 (IPv6) bytes, network order: names need DNS.
  std::uint16_t gateway_port = 5684;
  Bytes ca_certificate{};      ///< X.509 DER; the only trust anchor.
  Bytes device_certificate{};  ///< X.509 DER.
  Bytes device_private_key{};  ///< P-256 scalar, 32 bytes, big endian.
};

/// The gateway is accepted only with a certificate of the federation's CA whose extended key usage
/// is serverAuth, so no device can pose as a gateway. Gateways have addresses, not names: no name
/// is compared. Only AES-128-CCM-8 and AES-128-GCM with ECDHE-ECDSA are offered.
///
/// Zephyr's DTLS sockets know no client handshake that does not block: connect() returns when it
/// is over, at the latest after CONFIG_NET_SOCKETS_CONNECT_TIMEOUT (kernel threads of other
/// priorities run meanwhile). No other call waits, except wait().
///
/// The credentials lie in Zephyr's store under CONFIG_SKEP_TLS_SEC_TAG from connect() to close();
/// so one DtlsSocket at a time. The private key's DER form is wiped with the object. Memory: Mbed
/// TLS's heap (CONFIG_MBEDTLS_HEAP_SIZE) and one TLS context of Zephyr's.
class DtlsSocket final : public DatagramChannel {
 public:
  explicit DtlsSocket(const DtlsEndpoint& endpoint) : endpoint_(endpoint) {}
  ~DtlsSocket();
  DtlsSocket(const DtlsSocket&) = delete;
  DtlsSocket& operator=(const DtlsSocket&) = delete;

  Status connect() override;
  void close() override;
  Status send(Bytes datagram) override;
  [[nodiscard]] Result<std::size_t> receive(MutableBytes buffer) override;
  void wait(std::uint32_t timeout_ms) override;

  /// Whether the gateway gave us a Connection ID (RFC 9146) in the current session.
  [[nodiscard]] bool has_connection_id() const;

 private:
  // RFC 5915 ECPrivateKey: a fixed header, the scalar, and the curve's object identifier.
  static constexpr std::size_t kPrivateKeyDerBytes = 51;

  Status add_credentials();
  void remove_credentials();
  Status make_socket();
  Status configure();
  Status handshake();

  DtlsEndpoint endpoint_;
  std::array<std::uint8_t, kPrivateKeyDerBytes> private_key_der_{};
  int socket_ = -1;
};

}  // namespace skep::transport
