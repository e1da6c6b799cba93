#include "skep/transport_zephyr/dtls_socket.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/net/tls_credentials.h>

#include <algorithm>
#include <cstring>

namespace skep::transport {
namespace {

constexpr std::size_t kScalarBytes = 32;
constexpr sec_tag_t kTag = CONFIG_SKEP_TLS_SEC_TAG;

// ECPrivateKey ::= SEQUENCE { 1, OCTET STRING scalar, [0] prime256v1 } (RFC 5915 section 3).
constexpr std::array<std::uint8_t, 7> kDerPrefix = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr std::array<std::uint8_t, 12> kDerSuffix = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                     0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

// TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 (what RFC 7252 makes mandatory) and …_GCM_SHA256.
constexpr std::array<int, 2> kCipherSuites = {0xC0AE, 0xC02B};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Result<Address> make_address(const DtlsEndpoint& endpoint) {
  Address address;
  const Bytes ip = endpoint.gateway_ip;
  if (ip.size() == sizeof(in_addr)) {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(endpoint.gateway_port);
    std::memcpy(&ipv4->sin_addr, ip.data(), ip.size());
    address.length = sizeof(*ipv4);
  } else if (ip.size() == sizeof(in6_addr)) {
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(endpoint.gateway_port);
    std::memcpy(&ipv6->sin6_addr, ip.data(), ip.size());
    address.length = sizeof(*ipv6);
  } else {
    return Status::kInvalidArgument;
  }
  return address;
}

template <typename Value>
bool set_option(int socket, int option, const Value& value) {
  return zsock_setsockopt(socket, SOL_TLS, option, &value, sizeof(value)) == 0;
}

Status connect_status() {
  switch (errno) {
    case ENOMEM:
    case ENOBUFS:
      return Status::kNoMemory;
    case EINVAL:  // credentials that Mbed TLS cannot parse
      return Status::kInvalidArgument;
    default:
      return Status::kUnreachable;
  }
}

}  // namespace

DtlsSocket::~DtlsSocket() {
  close();
  mbedtls_platform_zeroize(private_key_der_.data(), private_key_der_.size());
}

Status DtlsSocket::connect() {
  close();
  Status status = add_credentials();
  if (status == Status::kOk) status = make_socket();
  if (status == Status::kOk) status = configure();
  if (status == Status::kOk) status = handshake();
  if (status != Status::kOk) close();
  return status;
}

// The store keeps pointers, so the bytes stay where they are until remove_credentials().
Status DtlsSocket::add_credentials() {
  if (endpoint_.device_private_key.size() != kScalarBytes) return Status::kInvalidArgument;
  auto* cursor = std::copy(kDerPrefix.begin(), kDerPrefix.end(), private_key_der_.data());
  cursor =
      std::copy(endpoint_.device_private_key.begin(), endpoint_.device_private_key.end(), cursor);
  std::copy(kDerSuffix.begin(), kDerSuffix.end(), cursor);

  const auto add = [](tls_credential_type type, Bytes bytes) {
    return tls_credential_add(kTag, type, bytes.data(), bytes.size()) == 0;
  };
  const bool ok = add(TLS_CREDENTIAL_CA_CERTIFICATE, endpoint_.ca_certificate) &&
                  add(TLS_CREDENTIAL_PUBLIC_CERTIFICATE, endpoint_.device_certificate) &&
                  add(TLS_CREDENTIAL_PRIVATE_KEY, private_key_der_);
  return ok ? Status::kOk : Status::kNoMemory;
}

void DtlsSocket::remove_credentials() {
  (void)tls_credential_delete(kTag, TLS_CREDENTIAL_CA_CERTIFICATE);
  (void)tls_credential_delete(kTag, TLS_CREDENTIAL_PUBLIC_CERTIFICATE);
  (void)tls_credential_delete(kTag, TLS_CREDENTIAL_PRIVATE_KEY);
}

Status DtlsSocket::make_socket() {
  const int family = endpoint_.gateway_ip.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  socket_ = zsock_socket(family, SOCK_DGRAM, IPPROTO_DTLS_1_2);
  return socket_ < 0 ? connect_status() : Status::kOk;
}

Status DtlsSocket::configure() {
  constexpr int kVerify = TLS_PEER_VERIFY_REQUIRED;
  // Ours is empty: what we are sent is found by address. The gateway's tells it who we are after
  // our address has changed.
  constexpr int kConnectionId = TLS_DTLS_CID_SUPPORTED;
  const bool ok = set_option(socket_, TLS_SEC_TAG_LIST, kTag) &&
                  set_option(socket_, TLS_PEER_VERIFY, kVerify) &&
                  set_option(socket_, TLS_CIPHERSUITE_LIST, kCipherSuites) &&
                  set_option(socket_, TLS_DTLS_CID, kConnectionId) &&
                  // Without this Zephyr would compare the certificate's name with "".
                  zsock_setsockopt(socket_, SOL_TLS, TLS_HOSTNAME, nullptr, 0) == 0;
  return ok ? Status::kOk : connect_status();
}

Status DtlsSocket::handshake() {
  SKEP_ASSIGN_OR_RETURN(const Address address, make_address(endpoint_));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);
  return zsock_connect(socket_, generic, address.length) == 0 ? Status::kOk : connect_status();
}

void DtlsSocket::close() {
  if (socket_ >= 0) (void)zsock_close(socket_);
  socket_ = -1;
  remove_credentials();
}

Status DtlsSocket::send(Bytes datagram) {
  if (socket_ < 0) return Status::kUnreachable;
  const ssize_t sent = zsock_send(socket_, datagram.data(), datagram.size(), ZSOCK_MSG_DONTWAIT);
  // No buffer just now: the datagram is lost, which retransmission makes good.
  const bool is_lost = sent < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS);
  return sent >= 0 || is_lost ? Status::kOk : Status::kUnreachable;
}

Result<std::size_t> DtlsSocket::receive(MutableBytes buffer) {
  if (socket_ < 0) return Status::kUnreachable;
  const ssize_t got =
      zsock_recv(socket_, buffer.data(), buffer.size(), ZSOCK_MSG_DONTWAIT | ZSOCK_MSG_TRUNC);
  if (got < 0) {
    if (errno == EAGAIN) return std::size_t{0};
    return Status::kUnreachable;
  }
  const auto length = static_cast<std::size_t>(got);
  return length <= buffer.size() ? length : std::size_t{0};
}

void DtlsSocket::wait(std::uint32_t timeout_ms) {
  const int timeout = static_cast<int>(std::min<std::uint32_t>(timeout_ms, INT32_MAX));
  if (socket_ < 0) {
    k_msleep(timeout);
    return;
  }
  zsock_pollfd readable{};
  readable.fd = socket_;
  readable.events = ZSOCK_POLLIN;
  (void)zsock_poll(&readable, 1, timeout);
}

// Not TLS_DTLS_CID_STATUS: Zephyr computes it from a length that Mbed TLS leaves unset when the
// gateway gave none.
bool DtlsSocket::has_connection_id() const {
  if (socket_ < 0) return false;
  std::array<std::uint8_t, MBEDTLS_SSL_CID_OUT_LEN_MAX> id{};
  socklen_t length = id.size();
  return zsock_getsockopt(socket_, SOL_TLS, TLS_DTLS_PEER_CID_VALUE, id.data(), &length) == 0 &&
         length != 0;
}

}  // namespace skep::transport
