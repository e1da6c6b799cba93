#include "coap_messages.h"

#include <algorithm>
#include <array>
#include <bit>

#include "skep/config.h"
#include "skep/wire/codec.h"
#include "skep/wire/problem.h"
#include "skep/wire/resources.h"
#include "skep/wire/response_code.h"

namespace skep::app {
namespace {

constexpr unsigned kSmallestBlockBits = 4;  // SZX 0 is 16 bytes
constexpr unsigned kLargestSzx = std::countr_zero(kCoapBlockBytes) - kSmallestBlockBits;
constexpr unsigned kReservedSzx = 7;

/// What a GET asks for.
struct Block2 {
  std::size_t offset = 0;
  unsigned szx = kLargestSzx;
  bool requested = false;
};

// None if the option is there but means nothing.
std::optional<Block2> requested_block(const coap_pdu_t* request) {
  coap_opt_iterator_t iterator;
  if (coap_check_option(request, COAP_OPTION_BLOCK2, &iterator) == nullptr) return Block2{};
  coap_block_t block{};
  if (coap_get_block(request, COAP_OPTION_BLOCK2, &block) == 0 || block.szx >= kReservedSzx) {
    return std::nullopt;
  }
  return Block2{.offset = std::size_t{block.num} << (block.szx + kSmallestBlockBits),
                .szx = std::min<unsigned>(block.szx, kLargestSzx),
                .requested = true};
}

}  // namespace

bool add_uint_option(coap_pdu_t* pdu, std::uint16_t number, std::uint32_t value) {
  std::array<std::uint8_t, 4> bytes{};
  const unsigned length = coap_encode_var_safe(bytes.data(), bytes.size(), value);
  return coap_add_option(pdu, number, length, bytes.data()) != 0;
}

std::optional<std::uint32_t> uint_option(const coap_pdu_t* pdu, std::uint16_t number) {
  coap_opt_iterator_t iterator;
  const coap_opt_t* option = coap_check_option(pdu, number, &iterator);
  if (option == nullptr || coap_opt_length(option) > sizeof(std::uint32_t)) return std::nullopt;
  return coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
}

std::string text_of(const coap_address_t& address) {
  std::array<unsigned char, 64> text{};
  const std::size_t length = coap_print_addr(&address, text.data(), text.size());
  return {reinterpret_cast<const char*>(text.data()), length};
}

std::string remote_of(const coap_session_t* session) {
  return text_of(*coap_session_get_addr_remote(session));
}

Bytes payload_of(const coap_pdu_t* pdu) {
  std::size_t length = 0;
  std::size_t offset = 0;
  std::size_t total = 0;
  const std::uint8_t* data = nullptr;
  if (coap_get_data_large(pdu, &length, &data, &offset, &total) == 0) return {};
  return {data, length};
}

Bytes token_of(const coap_pdu_t* pdu) {
  const coap_bin_const_t token = coap_pdu_get_token(pdu);
  return {token.s, token.length};
}

void set_problem(coap_pdu_t* response, Status status, const std::string& detail,
                 unsigned retry_after_s) {
  set_problem(response, wire::response_code(status), status, detail, retry_after_s);
}

void set_problem(coap_pdu_t* response, std::uint8_t code, Status status, const std::string& detail,
                 unsigned retry_after_s) {
  std::array<std::uint8_t, wire::kMaxProblemBytes> body{};
  const auto size = wire::encode(wire::make_problem(status, detail.c_str()), body);
  coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(code));
  if (!size.ok()) return;  // make_problem() always encodes
  add_uint_option(response, COAP_OPTION_CONTENT_FORMAT, wire::kContentFormat);
  if (code == wire::coap_code(5, 3) || code == wire::kCodeTooManyRequests) {
    add_uint_option(response, COAP_OPTION_MAXAGE, retry_after_s);
  }
  coap_add_data(response, *size, body.data());
}

bool has_etag(const coap_pdu_t* request, Bytes etag) {
  coap_opt_filter_t filter;
  coap_option_filter_clear(&filter);
  coap_option_filter_set(&filter, COAP_OPTION_ETAG);
  coap_opt_iterator_t iterator;
  coap_option_iterator_init(request, &iterator, &filter);
  while (const coap_opt_t* option = coap_option_next(&iterator)) {
    if (std::ranges::equal(Bytes(coap_opt_value(option), coap_opt_length(option)), etag)) {
      return true;
    }
  }
  return false;
}

SentBlock set_block_of(coap_pdu_t* response, const coap_pdu_t* request, Bytes body, Bytes etag) {
  const auto block = requested_block(request);
  if (!block || (block->offset != 0 && block->offset >= body.size())) {
    set_problem(response, Status::kInvalidArgument, "Block2: there is no such block", 0);
    return {};
  }
  const unsigned block_bits = block->szx + kSmallestBlockBits;
  const std::size_t length = std::min(body.size() - block->offset, std::size_t{1} << block_bits);
  const bool more = block->offset + length < body.size();
  coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(wire::kCodeContent));
  coap_add_option(response, COAP_OPTION_ETAG, etag.size(), etag.data());
  add_uint_option(response, COAP_OPTION_CONTENT_FORMAT, wire::kContentFormat);
  if (more || block->requested) {
    const auto number = static_cast<std::uint32_t>(block->offset >> block_bits);
    add_uint_option(response, COAP_OPTION_BLOCK2, number << 4U | (more ? 8U : 0U) | block->szx);
  }
  add_uint_option(response, COAP_OPTION_SIZE2, static_cast<std::uint32_t>(body.size()));
  coap_add_data(response, length, body.data() + block->offset);
  return {.bytes = length, .is_last = !more};
}

}  // namespace skep::app
