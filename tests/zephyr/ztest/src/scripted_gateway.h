// Both ends of a CoapClient under test: a channel whose peer is the test, and what the handler
// heard. Messages of the gateway are made with Zephyr's library, not with the code under test.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "skep/transport/client.h"
#include "skep/transport_zephyr/coap_message.h"
#include "skep/transport_zephyr/datagram_channel.h"

namespace skep::transport::test {

inline constexpr std::size_t kMaxDatagram = coap::kMaxMessageBytes;

struct Datagram {
  std::array<std::uint8_t, kMaxDatagram> bytes{};
  std::size_t length = 0;

  [[nodiscard]] Bytes view() const { return Bytes(bytes).first(length); }
  [[nodiscard]] coap::Incoming parsed();
};

/// One message of the gateway.
struct Reply {
  coap::Type type = coap::Type::kAcknowledgement;
  std::uint8_t code = kContent;
  std::uint16_t message_id = 0;
  coap::Token token{};
  Bytes etag{};
  std::optional<std::uint32_t> observe{};
  std::optional<coap::Block> block1{};
  std::optional<coap::Block> block2{};
  std::uint32_t size2 = 0;
  Bytes payload{};
};

class ScriptedChannel final : public DatagramChannel {
 public:
  Status connect() override { return connects; }
  void close() override { ++closed; }
  Status send(Bytes datagram) override;
  Result<std::size_t> receive(MutableBytes buffer) override;
  void wait(std::uint32_t /*timeout_ms*/) override {}

  /// What the client will receive next; at most one at a time.
  void deliver(const Reply& reply);
  void deliver(Bytes raw);

  /// The last datagram that the client sent, and how many there were.
  Datagram last{};
  std::size_t sent = 0;

  Status connects = Status::kOk;
  bool broken = false;
  int closed = 0;

 private:
  Datagram waiting_{};
};

struct Heard final : ResponseHandler {
  void on_response(RequestId id, const Response& response) override;
  void on_failure(RequestId id, Status status) override;

  std::size_t responses = 0;
  std::size_t failures = 0;
  RequestId id = 0;
  std::uint8_t code = 0;
  std::uint32_t offset = 0;
  std::uint32_t total_bytes = 0;
  bool last = false;
  Status failure = Status::kOk;
  std::array<std::uint8_t, 3 * kCoapBlockBytes> body{};  // payloads at their offsets
  std::size_t body_bytes = 0;
};

/// Bytes that differ from block to block.
template <std::size_t N>
constexpr std::array<std::uint8_t, N> pattern() {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = 0; i < N; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

}  // namespace skep::transport::test
