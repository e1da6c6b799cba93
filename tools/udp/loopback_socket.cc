#include "skep/udp/loopback_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace skep::udp {
namespace {

void require(bool ok, const char* what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in address_of(Port port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

LoopbackSocket::LoopbackSocket()
    : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  require(descriptor_ >= 0, "UDP socket");
}

LoopbackSocket::~LoopbackSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

LoopbackSocket::LoopbackSocket(LoopbackSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

Port LoopbackSocket::bind() {
  sockaddr_in own = address_of(0);
  socklen_t length = sizeof(own);
  auto* generic = reinterpret_cast<sockaddr*>(&own);
  require(::bind(descriptor_, generic, length) == 0, "bind a UDP socket");
  require(::getsockname(descriptor_, generic, &length) == 0, "port of a UDP socket");
  return ntohs(own.sin_port);
}

void LoopbackSocket::connect(Port peer) {
  const sockaddr_in address = address_of(peer);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  require(::connect(descriptor_, generic, sizeof(address)) == 0, "connect a UDP socket");
}

std::optional<Datagram> LoopbackSocket::receive(MutableBytes buffer) const {
  sockaddr_in sender{};
  socklen_t length = sizeof(sender);
  const ssize_t size = ::recvfrom(descriptor_, buffer.data(), buffer.size(), 0,
                                  reinterpret_cast<sockaddr*>(&sender), &length);
  if (size < 0) return std::nullopt;
  return Datagram{buffer.first(static_cast<std::size_t>(size)), ntohs(sender.sin_port)};
}

bool LoopbackSocket::send(Bytes content) const {
  const ssize_t size = ::send(descriptor_, content.data(), content.size(), 0);
  return size == static_cast<ssize_t>(content.size());
}

bool LoopbackSocket::send_to(Port receiver, Bytes content) const {
  const sockaddr_in address = address_of(receiver);
  const ssize_t size = ::sendto(descriptor_, content.data(), content.size(), 0,
                                reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return size == static_cast<ssize_t>(content.size());
}

}  // namespace skep::udp
