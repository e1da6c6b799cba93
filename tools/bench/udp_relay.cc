#include "udp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace skep::bench {
namespace {

constexpr std::size_t kMaxDatagramBytes = 65536;
using Datagram = std::array<std::uint8_t, kMaxDatagramBytes>;

void require(bool ok, const char* what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(LoopbackPort port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int make_socket() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  require(fd >= 0, "UDP socket");
  return fd;
}

// RFC 6347, section 4.1: type, version, epoch, sequence number, length, content.
constexpr std::size_t kRecordHeaderBytes = 13;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kApplicationData = 23;

constexpr std::size_t load_u16(Bytes bytes, std::size_t at) {
  return std::size_t{bytes[at]} << 8U | bytes[at + 1];
}

// Calls `visit` with the type and content of each record that has no connection ID.
template <typename Visit>
void for_each_record(Bytes datagram, const Visit& visit) {
  while (datagram.size() >= kRecordHeaderBytes) {
    const std::size_t length = load_u16(datagram, 11);
    if (length > datagram.size() - kRecordHeaderBytes) return;
    visit(datagram[0], datagram.subspan(kRecordHeaderBytes, length));
    datagram = datagram.subspan(kRecordHeaderBytes + length);
  }
}

void count(Traffic& traffic, Bytes datagram) {
  ++traffic.datagrams;
  traffic.bytes += datagram.size();
  for_each_record(datagram, [&](std::uint8_t type, Bytes) {
    traffic.data_records += type == kApplicationData ? 1 : 0;
  });
}

// The suite follows the handshake header, version, random and session ID (RFC 5246, section
// 7.4.1.3). 0 if this record is no ServerHello.
std::uint16_t suite_of_server_hello(std::uint8_t type, Bytes content) {
  constexpr std::uint8_t kServerHello = 2;
  constexpr std::size_t kSessionIdAt = 12 + 2 + 32;
  if (type != kHandshake || content.size() <= kSessionIdAt || content[0] != kServerHello) return 0;
  const std::size_t suite_at = kSessionIdAt + 1 + content[kSessionIdAt];
  if (content.size() < suite_at + 2) return 0;
  return static_cast<std::uint16_t>(load_u16(content, suite_at));
}

}  // namespace

UdpRelay::UdpRelay(LoopbackPort gateway)
    : device_side_(make_socket()), gateway_side_(make_socket()) {
  sockaddr_in own = loopback(0);
  socklen_t length = sizeof(own);
  auto* generic = reinterpret_cast<sockaddr*>(&own);
  require(::bind(device_side_, generic, length) == 0, "bind the relay");
  require(::getsockname(device_side_, generic, &length) == 0, "the relay's port");
  port_ = ntohs(own.sin_port);
  const sockaddr_in target = loopback(gateway);
  require(::connect(gateway_side_, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0,
          "connect the relay to skepd");
}

UdpRelay::~UdpRelay() {
  ::close(device_side_);
  ::close(gateway_side_);
}

void UdpRelay::poll() {
  static Datagram datagram;
  while (true) {
    sockaddr_in sender{};
    socklen_t length = sizeof(sender);
    const ssize_t size = ::recvfrom(device_side_, datagram.data(), datagram.size(), 0,
                                    reinterpret_cast<sockaddr*>(&sender), &length);
    if (size < 0) break;
    if (!device_known_) {
      require(::connect(device_side_, reinterpret_cast<sockaddr*>(&sender), length) == 0,
              "connect the relay to the device");
      device_known_ = true;
    }
    count(up_, Bytes(datagram).first(static_cast<std::size_t>(size)));
    require(::send(gateway_side_, datagram.data(), static_cast<std::size_t>(size), 0) == size,
            "forward to skepd");
  }
  while (true) {
    const ssize_t size = ::recv(gateway_side_, datagram.data(), datagram.size(), 0);
    if (size < 0) break;
    const Bytes heard = Bytes(datagram).first(static_cast<std::size_t>(size));
    count(down_, heard);
    for_each_record(heard, [&](std::uint8_t type, Bytes content) {
      if (cipher_suite_ == 0) cipher_suite_ = suite_of_server_hello(type, content);
    });
    require(::send(device_side_, datagram.data(), static_cast<std::size_t>(size), 0) == size,
            "forward to the device");
  }
}

Helper UdpRelay::helper() {
  return {.descriptors = {device_side_, gateway_side_}, .poll = [this] { poll(); }};
}

}  // namespace skep::bench
