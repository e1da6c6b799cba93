#include "skep/transport_zephyr/coap_message.h"

#include <zephyr/net/coap.h>

#include <algorithm>
#include <cstring>

namespace skep::transport::coap {
namespace {

constexpr std::uint8_t kReservedSzx = 7;
constexpr std::uint32_t kMoreBit = 8;
constexpr std::uint8_t kClassBits = 5;
constexpr std::uint16_t kMaxUintOptionBytes = 4;

std::uint32_t to_option(const Block& block) {
  return block.number << 4U | (block.more ? kMoreBit : 0U) | block.szx;
}

// Each part of `text` between separators becomes one option.
bool append_parts(coap_packet& packet, std::uint16_t number, const char* text, char separator) {
  while (*text != '\0') {
    const char* end = std::strchr(text, separator);
    const std::size_t length =
        end == nullptr ? std::strlen(text) : static_cast<std::size_t>(end - text);
    if (coap_packet_append_option(&packet, number, reinterpret_cast<const std::uint8_t*>(text),
                                  static_cast<std::uint16_t>(length)) != 0) {
      return false;
    }
    text += length + (end == nullptr ? 0 : 1);
  }
  return true;
}

// The part of the body that goes with this message.
struct BodyPart {
  Bytes bytes;
  std::optional<Block> block1;  // none if the body fits one message
};

BodyPart body_part(const OutgoingRequest& outgoing) {
  const Bytes body = outgoing.request.body;
  Block block{.szx = outgoing.block1_szx};
  if (body.size() <= block.size_bytes() && outgoing.body_offset == 0) return {body, std::nullopt};
  const Bytes rest = body.subspan(outgoing.body_offset);
  block.number = outgoing.body_offset >> (block.szx + 4U);
  block.more = rest.size() > block.size_bytes();
  return {rest.first(std::min<std::size_t>(rest.size(), block.size_bytes())), block};
}

// In the order of their numbers, as CoAP requires.
bool append_options(coap_packet& packet, const OutgoingRequest& outgoing, const BodyPart& part) {
  const Request& request = outgoing.request;
  bool ok = true;
  const bool is_further_block = outgoing.block2 && outgoing.block2->number != 0;
  if (!request.etag.empty() && !is_further_block) {
    ok = coap_packet_append_option(&packet, COAP_OPTION_ETAG, request.etag.data(),
                                   static_cast<std::uint16_t>(request.etag.size())) == 0;
  }
  // 0 registers (RFC 7641 section 2).
  if (outgoing.observe) ok = ok && coap_append_option_int(&packet, COAP_OPTION_OBSERVE, 0) == 0;
  ok = ok && append_parts(packet, COAP_OPTION_URI_PATH, request.path, '/');
  if (!request.body.empty()) {
    ok = ok && coap_append_option_int(&packet, COAP_OPTION_CONTENT_FORMAT, kOctetStream) == 0;
  }
  ok = ok && append_parts(packet, COAP_OPTION_URI_QUERY, request.query, '&');
  if (outgoing.block2) {
    ok =
        ok && coap_append_option_int(&packet, COAP_OPTION_BLOCK2, to_option(*outgoing.block2)) == 0;
  }
  if (part.block1) {
    ok = ok && coap_append_option_int(&packet, COAP_OPTION_BLOCK1, to_option(*part.block1)) == 0;
    if (outgoing.body_offset == 0) {
      ok = ok && coap_append_option_int(&packet, COAP_OPTION_SIZE1,
                                        static_cast<unsigned>(request.body.size())) == 0;
    }
  }
  return ok;
}

// None if the option is absent; false in `ok` if it cannot be one.
std::optional<std::uint32_t> uint_option(const coap_packet& packet, std::uint16_t number,
                                         std::uint16_t max_bytes, bool& ok) {
  coap_option option{};
  const int found = coap_find_options(&packet, number, &option, 1);
  if (found == 0) return std::nullopt;
  if (found < 0 || option.len > max_bytes) {
    ok = false;
    return std::nullopt;
  }
  return coap_option_value_to_int(&option);
}

std::optional<Block> block_option(const coap_packet& packet, std::uint16_t number, bool& ok) {
  constexpr std::uint16_t kMaxBlockBytes = 3;
  const std::optional<std::uint32_t> value = uint_option(packet, number, kMaxBlockBytes, ok);
  if (!value) return std::nullopt;
  const Block block{.number = *value >> 4U,
                    .more = (*value & kMoreBit) != 0,
                    .szx = static_cast<std::uint8_t>(*value & 7U)};
  if (block.szx == kReservedSzx) ok = false;
  return block;
}

bool read_etag(const coap_packet& packet, Incoming& message) {
  coap_option option{};
  const int found = coap_find_options(&packet, COAP_OPTION_ETAG, &option, 1);
  if (found <= 0) return found == 0;
  if (option.len == 0 || option.len > message.etag.size()) return false;
  std::copy_n(&option.value[0], option.len, message.etag.begin());
  message.etag_bytes = option.len;
  return true;
}

bool read_options(const coap_packet& packet, Incoming& message) {
  constexpr std::uint16_t kMaxObserveBytes = 3;
  bool ok = read_etag(packet, message);
  message.observe = uint_option(packet, COAP_OPTION_OBSERVE, kMaxObserveBytes, ok);
  message.block2 = block_option(packet, COAP_OPTION_BLOCK2, ok);
  message.block1 = block_option(packet, COAP_OPTION_BLOCK1, ok);
  message.size2 = uint_option(packet, COAP_OPTION_SIZE2, kMaxUintOptionBytes, ok).value_or(0);
  return ok;
}

}  // namespace

Result<std::size_t> encode(const OutgoingRequest& outgoing, MutableBytes out) {
  coap_packet packet{};
  const BodyPart part = body_part(outgoing);
  const bool ok =
      coap_packet_init(&packet, out.data(), static_cast<std::uint16_t>(out.size()), COAP_VERSION_1,
                       COAP_TYPE_CON, kTokenBytes, outgoing.token.data(),
                       static_cast<std::uint8_t>(outgoing.request.method),
                       outgoing.message_id) == 0 &&
      append_options(packet, outgoing, part) &&
      (part.bytes.empty() ||
       (coap_packet_append_payload_marker(&packet) == 0 &&
        coap_packet_append_payload(&packet, part.bytes.data(),
                                   static_cast<std::uint16_t>(part.bytes.size())) == 0));
  if (!ok) return Status::kTooLarge;
  return std::size_t{packet.offset};
}

std::size_t encode_empty(Type type, std::uint16_t message_id, MutableBytes out) {
  coap_packet packet{};
  (void)coap_packet_init(&packet, out.data(), static_cast<std::uint16_t>(out.size()),
                         COAP_VERSION_1, static_cast<std::uint8_t>(type), 0, nullptr, kEmpty,
                         message_id);
  return packet.offset;
}

Result<Incoming> decode(MutableBytes datagram) {
  coap_packet packet{};
  if (datagram.size() > UINT16_MAX ||
      coap_packet_parse(&packet, datagram.data(), static_cast<std::uint16_t>(datagram.size()),
                        nullptr, 0) != 0 ||
      coap_header_get_version(&packet) != COAP_VERSION_1) {
    return Status::kMalformed;
  }
  Incoming message;
  message.type = static_cast<Type>(coap_header_get_type(&packet));
  // Not coap_header_get_code(): it takes codes that this library does not know for empty messages.
  message.code = datagram[1];
  message.message_id = coap_header_get_id(&packet);
  message.token_bytes = coap_header_get_token(&packet, message.token.data());
  const bool is_empty = message.code == kEmpty;
  if (is_empty && datagram.size() != 4) return Status::kMalformed;
  if (message.code >> kClassBits == 1) return Status::kMalformed;  // a reserved class
  if (!is_empty && !read_options(packet, message)) return Status::kMalformed;
  std::uint16_t length = 0;
  const std::uint8_t* payload = coap_packet_get_payload(&packet, &length);
  if (payload != nullptr) message.payload = {payload, length};
  return message;
}

}  // namespace skep::transport::coap
