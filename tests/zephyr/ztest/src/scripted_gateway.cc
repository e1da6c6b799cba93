#include "scripted_gateway.h"

#include <zephyr/net/coap.h>
#include <zephyr/ztest.h>

#include <algorithm>

namespace skep::transport::test {
namespace {

unsigned option_of(const coap::Block& block) {
  return block.number << 4U | (block.more ? 8U : 0U) | block.szx;
}

}  // namespace

coap::Incoming Datagram::parsed() {
  const auto message = coap::decode(MutableBytes(bytes).first(length));
  zassert_true(message.ok(), "the client sent no CoAP message");
  return *message;
}

Status ScriptedChannel::send(Bytes datagram) {
  zassert_true(datagram.size() <= kMaxDatagram);
  std::ranges::copy(datagram, last.bytes.begin());
  last.length = datagram.size();
  ++sent;
  return Status::kOk;
}

Result<std::size_t> ScriptedChannel::receive(MutableBytes buffer) {
  if (broken) return Status::kUnreachable;
  const std::size_t length = waiting_.length;
  waiting_.length = 0;
  if (length > buffer.size()) return std::size_t{0};
  std::copy_n(waiting_.bytes.begin(), length, buffer.begin());
  return length;
}

void ScriptedChannel::deliver(const Reply& reply) {
  coap_packet packet{};
  const bool is_empty = reply.code == coap::kEmpty;
  int result =
      coap_packet_init(&packet, waiting_.bytes.data(), kMaxDatagram, COAP_VERSION_1,
                       static_cast<std::uint8_t>(reply.type), is_empty ? 0 : coap::kTokenBytes,
                       reply.token.data(), reply.code, reply.message_id);
  if (!reply.etag.empty()) {
    result |= coap_packet_append_option(&packet, COAP_OPTION_ETAG, reply.etag.data(),
                                        static_cast<std::uint16_t>(reply.etag.size()));
  }
  if (reply.observe) result |= coap_append_option_int(&packet, COAP_OPTION_OBSERVE, *reply.observe);
  if (reply.block2) {
    result |= coap_append_option_int(&packet, COAP_OPTION_BLOCK2, option_of(*reply.block2));
  }
  if (reply.block1) {
    result |= coap_append_option_int(&packet, COAP_OPTION_BLOCK1, option_of(*reply.block1));
  }
  if (reply.size2 != 0) result |= coap_append_option_int(&packet, COAP_OPTION_SIZE2, reply.size2);
  if (!reply.payload.empty()) {
    result |= coap_packet_append_payload_marker(&packet);
    result |= coap_packet_append_payload(&packet, reply.payload.data(),
                                         static_cast<std::uint16_t>(reply.payload.size()));
  }
  zassert_equal(result, 0);
  waiting_.length = packet.offset;
}

void ScriptedChannel::deliver(Bytes raw) {
  std::ranges::copy(raw, waiting_.bytes.begin());
  waiting_.length = raw.size();
}

void Heard::on_response(RequestId request, const Response& response) {
  ++responses;
  id = request;
  code = response.code;
  offset = response.offset;
  total_bytes = response.total_bytes;
  last = response.last;
  zassert_true(response.offset + response.payload.size() <= body.size());
  std::ranges::copy(response.payload, body.begin() + response.offset);
  body_bytes = response.offset + response.payload.size();
}

void Heard::on_failure(RequestId request, Status status) {
  ++failures;
  id = request;
  failure = status;
}

}  // namespace skep::transport::test
