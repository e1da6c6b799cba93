#include "skep/transport_zephyr/coap_client.h"

#include <zephyr/kernel.h>
#include <zephyr/net/coap.h>
#include <zephyr/random/random.h>

#include <algorithm>

namespace skep::transport {
namespace {

// Bounds what one poll() does: each costs a decryption and a call of the handler.
constexpr int kDatagramsPerPoll = 4;

// RFC 7641 section 3.4: numbers wrap around, and after so long any number is newer.
constexpr std::uint32_t kObserveHalfRange = 1U << 23U;
constexpr std::uint64_t kObserveReorderingMs = 128'000;

std::uint64_t uptime_ms() { return static_cast<std::uint64_t>(k_uptime_get()); }

coap::Token new_token() {
  coap::Token token{};
  sys_rand_get(token.data(), token.size());
  return token;
}

bool is_newer(std::uint32_t number, std::uint32_t than) {
  return (than < number && number - than < kObserveHalfRange) ||
         (than > number && than - number > kObserveHalfRange);
}

}  // namespace

Status CoapClient::open(ResponseHandler& handler) {
  close();
  handler_ = &handler;
  state_ = SessionState::kHandshaking;
  return Status::kOk;
}

void CoapClient::close() {
  for (Exchange& exchange : exchanges_) exchange = Exchange{};
  channel_.close();
  handler_ = nullptr;
  handled_count_ = 0;
  state_ = SessionState::kClosed;
}

Status CoapClient::send(RequestId id, const Request& request) {
  if (id >= kMaxRequests || exchanges_[id].active || request.etag.size() > coap::kMaxEtagBytes) {
    return Status::kInvalidArgument;
  }
  if (state_ != SessionState::kEstablished) return Status::kUnreachable;
  const coap::Token token = new_token();
  // Whether it can be written at all is this call's result, not a failure later.
  const coap::OutgoingRequest first{.request = request,
                                    .message_id = 0,
                                    .token = token,
                                    .body_offset = 0,
                                    .block1_szx = coap::kLargestSzx,
                                    .block2 = coap::Block{},
                                    .observe = request.observe};
  if (!coap::encode(first, sent_).ok()) return Status::kNoMemory;

  Exchange& exchange = exchanges_[id];
  exchange = Exchange{};
  exchange.active = true;
  exchange.serial = next_serial_++;
  exchange.request = request;
  exchange.token = token;
  begin_message(exchange, uptime_ms());
  return Status::kOk;
}

void CoapClient::cancel(RequestId id) {
  if (id < kMaxRequests) exchanges_[id] = Exchange{};
}

void CoapClient::poll() {
  if (state_ == SessionState::kClosed) return;
  if (state_ == SessionState::kHandshaking) {
    if (const Status status = channel_.connect(); status != Status::kOk) {
      lose_session(status);
    } else {
      state_ = SessionState::kEstablished;
    }
    return;
  }
  receive(uptime_ms());
  if (state_ == SessionState::kEstablished) retransmit_due(uptime_ms());
}

std::uint32_t CoapClient::next_timeout_ms() {
  if (state_ == SessionState::kClosed) return UINT32_MAX;
  if (state_ == SessionState::kHandshaking || more_may_wait_) return 0;
  const std::uint64_t now_ms = uptime_ms();
  std::uint64_t timeout_ms = UINT32_MAX;
  for (const Exchange& exchange : exchanges_) {
    if (!exchange.active || !exchange.unacknowledged) continue;
    if (exchange.due_ms <= now_ms) return 0;
    timeout_ms = std::min(timeout_ms, exchange.due_ms - now_ms);
  }
  return static_cast<std::uint32_t>(timeout_ms);
}

void CoapClient::receive(std::uint64_t now_ms) {
  more_may_wait_ = false;
  for (int i = 0; i < kDatagramsPerPoll; ++i) {
    const Result<std::size_t> length = channel_.receive(received_);
    if (!length.ok()) {
      lose_session(length.status());
      return;
    }
    if (*length == 0) return;
    const Result<coap::Incoming> message = coap::decode(MutableBytes(received_).first(*length));
    // What cannot be understood is as good as lost (RFC 7252 section 4.2).
    if (message.ok()) on_message(*message, now_ms);
    if (state_ != SessionState::kEstablished) return;
  }
  more_may_wait_ = true;
}

void CoapClient::on_message(const coap::Incoming& message, std::uint64_t now_ms) {
  if (message.type == coap::Type::kReset) {
    on_reset(message.message_id);
  } else if (message.code == coap::kEmpty) {
    if (message.type == coap::Type::kAcknowledgement) {
      on_acknowledgement(message.message_id);
    } else {
      send_empty(coap::Type::kReset, message.message_id);  // a ping
    }
  } else if (message.is_response()) {
    on_response(message, now_ms);
  } else if (message.type == coap::Type::kConfirmable) {
    send_empty(coap::Type::kReset, message.message_id);  // requests: we serve nothing
  }
}

void CoapClient::on_acknowledgement(std::uint16_t message_id) {
  const int index = find_by_message_id(message_id);
  if (index >= 0) exchanges_[static_cast<std::size_t>(index)].unacknowledged = false;
}

void CoapClient::on_reset(std::uint16_t message_id) {
  const int index = find_by_message_id(message_id);
  if (index >= 0) fail(static_cast<RequestId>(index), Status::kRejected);
}

void CoapClient::on_response(const coap::Incoming& message, std::uint64_t now_ms) {
  const int index = find_by_token(message);
  if (message.type == coap::Type::kAcknowledgement) {
    // It answers one message, by its id; another id is the answer to an earlier one.
    if (index < 0 || find_by_message_id(message.message_id) != index) return;
  } else {
    if (was_handled(message.message_id)) {
      if (message.type == coap::Type::kConfirmable) {
        send_empty(coap::Type::kAcknowledgement, message.message_id);
      }
      return;
    }
    if (index < 0) {
      send_empty(coap::Type::kReset, message.message_id);
      return;
    }
    if (message.type == coap::Type::kConfirmable) {
      send_empty(coap::Type::kAcknowledgement, message.message_id);
    }
  }
  const auto id = static_cast<RequestId>(index);
  Exchange& exchange = exchanges_[id];
  exchange.unacknowledged = false;
  const bool uploads = exchange.request.body.size() > exchange.sent_bytes;
  if (message.code == coap::kContinue && uploads) {
    on_body_taken(id, message, now_ms);
  } else {
    on_content(id, message, now_ms);
  }
}

// 2.31: the gateway has the block and wants the next, perhaps in smaller pieces.
void CoapClient::on_body_taken(RequestId id, const coap::Incoming& message, std::uint64_t now_ms) {
  Exchange& exchange = exchanges_[id];
  const std::uint32_t size = 16U << exchange.block1_szx;
  const std::uint32_t number = exchange.sent_bytes / size;
  if (!message.block1 || message.block1->number != number ||
      message.block1->szx > exchange.block1_szx ||
      exchange.request.body.size() - exchange.sent_bytes <= size) {
    fail(id, Status::kMalformed);
    return;
  }
  exchange.sent_bytes += size;
  exchange.block1_szx = message.block1->szx;
  begin_message(exchange, now_ms);
}

void CoapClient::on_content(RequestId id, const coap::Incoming& message, std::uint64_t now_ms) {
  Exchange& exchange = exchanges_[id];
  const bool is_further_block = exchange.awaits_block && message.has_token(exchange.block_token);
  if (!is_further_block && !is_fresh(exchange, message, now_ms)) return;
  if (!is_further_block) exchange.received_bytes = 0;
  exchange.awaits_block = false;
  if (!is_next_block(exchange, message)) {
    fail(id, Status::kMalformed);
    return;
  }
  const bool has_more = message.block2 && message.block2->more;
  const Response response{.code = message.code,
                          .payload = message.payload,
                          .offset = exchange.received_bytes,
                          .total_bytes = message.size2,
                          .last = !has_more,
                          .etag = Bytes(message.etag).first(message.etag_bytes)};
  exchange.received_bytes += static_cast<std::uint32_t>(message.payload.size());
  const std::uint32_t serial = exchange.serial;
  // An observation goes on after a success; an error ends it (RFC 7641 section 3.2). The id is
  // free before the handler is called, which may use it again.
  if (!has_more && !(exchange.request.observe && is_success(message.code))) exchange = Exchange{};
  handler_->on_response(id, response);

  const bool goes_on = exchange.active && exchange.serial == serial && has_more;
  if (!goes_on) return;
  exchange.awaits_block = true;
  exchange.block_token = new_token();
  begin_message(exchange, now_ms);
}

// Whether a notification is newer than the last; other responses always are.
bool CoapClient::is_fresh(Exchange& exchange, const coap::Incoming& message,
                          std::uint64_t now_ms) const {
  if (!message.observe) return true;
  const bool fresh = !exchange.notified || is_newer(*message.observe, exchange.observe_number) ||
                     now_ms - exchange.notified_at_ms > kObserveReorderingMs;
  if (fresh) {
    exchange.notified = true;
    exchange.observe_number = *message.observe;
    exchange.notified_at_ms = now_ms;
  }
  return fresh;
}

// Whether the payload continues the body that was received so far.
bool CoapClient::is_next_block(Exchange& exchange, const coap::Incoming& message) const {
  const Bytes etag = Bytes(message.etag).first(message.etag_bytes);
  if (!message.block2) return exchange.received_bytes == 0;
  const coap::Block& block = *message.block2;
  if (block.offset() != exchange.received_bytes) return false;
  // Only a GET can be repeated to get the rest.
  if (block.more && exchange.request.method != Method::kGet) return false;
  if (block.more && message.payload.size() != block.size_bytes()) return false;
  if (message.payload.size() > block.size_bytes()) return false;
  // All blocks are of one representation (RFC 7959 section 2.4).
  const Bytes first_etag = Bytes(exchange.etag).first(exchange.etag_bytes);
  if (exchange.received_bytes != 0 && !std::ranges::equal(etag, first_etag)) return false;
  std::ranges::copy(etag, exchange.etag.begin());
  exchange.etag_bytes = etag.size();
  exchange.block2_szx = block.szx;
  return true;
}

bool CoapClient::was_handled(std::uint16_t message_id) {
  const std::size_t known = std::min(handled_count_, kRememberedIds);
  const auto end = handled_ids_.begin() + static_cast<std::ptrdiff_t>(known);
  if (std::find(handled_ids_.begin(), end, message_id) != end) return true;
  handled_ids_[handled_count_ % kRememberedIds] = message_id;
  ++handled_count_;
  return false;
}

int CoapClient::find_by_token(const coap::Incoming& message) const {
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    const Exchange& exchange = exchanges_[i];
    if (!exchange.active) continue;
    if (message.has_token(exchange.token) ||
        (exchange.awaits_block && message.has_token(exchange.block_token))) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

int CoapClient::find_by_message_id(std::uint16_t message_id) const {
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    const Exchange& exchange = exchanges_[i];
    if (exchange.active && exchange.unacknowledged && exchange.message_id == message_id) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void CoapClient::begin_message(Exchange& exchange, std::uint64_t now_ms) {
  exchange.message_id = coap_next_id();
  exchange.unacknowledged = true;
  exchange.transmissions = 0;
  const std::uint32_t spread_ms = timing_.ack_timeout_ms / 2U;  // ACK_RANDOM_FACTOR is 1.5
  exchange.timeout_ms =
      timing_.ack_timeout_ms + (spread_ms == 0 ? 0 : sys_rand32_get() % (spread_ms + 1U));
  transmit(exchange, now_ms);
}

void CoapClient::transmit(Exchange& exchange, std::uint64_t now_ms) {
  ++exchange.transmissions;
  exchange.due_ms = now_ms + exchange.timeout_ms;
  const std::uint32_t block2_bytes = 16U << exchange.block2_szx;
  const coap::Block wanted{
      .number = exchange.awaits_block ? exchange.received_bytes / block2_bytes : 0,
      .more = false,
      .szx = exchange.block2_szx};
  const coap::OutgoingRequest outgoing{
      .request = exchange.request,
      .message_id = exchange.message_id,
      .token = exchange.awaits_block ? exchange.block_token : exchange.token,
      .body_offset = exchange.sent_bytes,
      .block1_szx = exchange.block1_szx,
      .block2 = exchange.request.method == Method::kGet ? std::optional(wanted) : std::nullopt,
      .observe = exchange.request.observe && !exchange.awaits_block};
  const Result<std::size_t> length = coap::encode(outgoing, sent_);
  // A session that is over shows itself when poll() receives next.
  if (length.ok()) (void)channel_.send(Bytes(sent_).first(*length));
}

void CoapClient::retransmit_due(std::uint64_t now_ms) {
  for (Exchange& exchange : exchanges_) {
    if (!exchange.active || !exchange.unacknowledged || exchange.due_ms > now_ms) continue;
    if (exchange.transmissions > timing_.max_retransmit) {
      // The peer is gone: the requests behind this one would each wait as long.
      lose_session(Status::kTimeout);
      return;
    }
    exchange.timeout_ms *= 2;
    transmit(exchange, now_ms);
  }
}

void CoapClient::send_empty(coap::Type type, std::uint16_t message_id) {
  const std::size_t length = coap::encode_empty(type, message_id, sent_);
  (void)channel_.send(Bytes(sent_).first(length));
}

void CoapClient::fail(RequestId id, Status status) {
  exchanges_[id] = Exchange{};
  handler_->on_failure(id, status);
}

void CoapClient::lose_session(Status status) {
  channel_.close();
  state_ = SessionState::kClosed;
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    if (exchanges_[i].active) fail(static_cast<RequestId>(i), status);
  }
}

}  // namespace skep::transport
