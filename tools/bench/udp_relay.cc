#include "udp_relay.h"

#include <stdexcept>

namespace skep::bench {
namespace {

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
    : port_(device_side_.bind()), buffer_(udp::LoopbackSocket::kMaxDatagramBytes) {
  gateway_side_.connect(gateway);
}

void UdpRelay::poll() {
  while (const auto heard = device_side_.receive(buffer_)) {
    if (!device_known_) {
      device_side_.connect(heard->sender);
      device_known_ = true;
    }
    count(up_, heard->content);
    if (!gateway_side_.send(heard->content)) throw std::runtime_error("cannot forward to skepd");
  }
  while (const auto heard = gateway_side_.receive(buffer_)) {
    count(down_, heard->content);
    for_each_record(heard->content, [&](std::uint8_t type, Bytes content) {
      if (cipher_suite_ == 0) cipher_suite_ = suite_of_server_hello(type, content);
    });
    if (!device_side_.send(heard->content)) {
      throw std::runtime_error("cannot forward to the device");
    }
  }
}

Helper UdpRelay::helper() {
  return {.descriptors = {device_side_.descriptor(), gateway_side_.descriptor()},
          .poll = [this] { poll(); }};
}

}  // namespace skep::bench
