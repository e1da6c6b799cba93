// transport::CoapClient against a scripted gateway: what it sends, what its handler hears. The
// native simulator's time is simulated, so the timeouts cost none.
#include "skep/transport_zephyr/coap_client.h"

#include <zephyr/kernel.h>
#include <zephyr/net/coap.h>
#include <zephyr/ztest.h>

#include <algorithm>

#include "scripted_gateway.h"

namespace skep::transport::test {
namespace {

constexpr std::uint32_t kBlock = kCoapBlockBytes;
constexpr CoapTiming kTiming{.ack_timeout_ms = 1000, .max_retransmit = 2};
constexpr std::array<std::uint8_t, 8> kTag{1, 2, 3, 4, 5, 6, 7, 8};

struct Fixture {
  Heard heard;
  ScriptedChannel channel;
  CoapClient client{channel, kTiming};

  Fixture() {
    zassert_equal(client.open(heard), Status::kOk);
    zassert_equal(client.state(), SessionState::kHandshaking);
    client.poll();
    zassert_equal(client.state(), SessionState::kEstablished);
  }

  // The gateway's message arrives.
  template <typename Message>
  void hear(const Message& message) {
    channel.deliver(message);
    client.poll();
  }

  // Answers the message that the client sent last.
  void answer(Reply reply) {
    const coap::Incoming request = channel.last.parsed();
    reply.message_id = request.message_id;
    reply.token = request.token;
    hear(reply);
  }
};

// `body`'s block of that number, as the gateway would send it.
Reply block_of(Bytes body, std::uint32_t number) {
  const Bytes rest = body.subspan(number * kBlock);
  return {.etag = kTag,
          .block2 = coap::Block{.number = number, .more = rest.size() > kBlock},
          .size2 = static_cast<std::uint32_t>(body.size()),
          .payload = rest.first(std::min<std::size_t>(rest.size(), kBlock))};
}

ZTEST(coap_client, test_get_is_sent_and_answered) {
  Fixture f;
  zassert_equal(f.client.send(1, {.path = "skep/v1/model", .query = "v=3"}), Status::kOk);
  // CON GET, 8 byte token; Uri-Path "skep" "v1" "model"; Uri-Query "v=3"; Block2 0/0/512.
  const Bytes sent = f.channel.last.view();
  zassert_equal(sent[0], 0x48);
  zassert_equal(sent[1], 0x01);
  constexpr std::array<std::uint8_t, 21> kOptions = {
      0xB4, 's', 'k', 'e', 'p',  0x02, 'v', '1', 5,    'm',
      'o',  'd', 'e', 'l', 0x43, 'v',  '=', '3', 0x81, coap::kLargestSzx};
  zassert_true(std::ranges::equal(sent.subspan(12), Bytes(kOptions).first(20)));

  const auto payload = pattern<100>();
  f.answer({.etag = kTag, .payload = payload});
  zassert_equal(f.heard.responses, 1);
  zassert_equal(f.heard.id, 1);
  zassert_equal(f.heard.code, kContent);
  zassert_true(f.heard.last);
  zassert_true(std::ranges::equal(Bytes(f.heard.body).first(100), payload));
  // The id is free again, and nothing is due.
  zassert_equal(f.client.next_timeout_ms(), UINT32_MAX);
  zassert_equal(f.client.send(1, {.path = "a"}), Status::kOk);
}

ZTEST(coap_client, test_large_body_arrives_block_by_block) {
  Fixture f;
  static constexpr auto kBody = pattern<2 * kBlock + 200>();
  zassert_equal(f.client.send(2, {.path = "model"}), Status::kOk);
  for (std::uint32_t number = 0; number < 3; ++number) {
    const coap::Incoming request = f.channel.last.parsed();
    zassert_true(request.block2.has_value());
    zassert_equal(request.block2->number, number);
    f.answer(block_of(kBody, number));
    zassert_equal(f.heard.responses, number + 1);
    zassert_equal(f.heard.offset, number * kBlock);
    zassert_equal(f.heard.total_bytes, kBody.size());
    zassert_equal(f.heard.last, number == 2);
  }
  zassert_true(std::ranges::equal(Bytes(f.heard.body).first(f.heard.body_bytes), kBody));
}

ZTEST(coap_client, test_broken_block_transfers_fail) {
  static constexpr auto kBody = pattern<3 * kBlock>();
  constexpr std::array<std::uint8_t, 8> kOther{9};
  const auto fails_with = [](Reply second) {
    Fixture f;
    zassert_equal(f.client.send(0, {.path = "model"}), Status::kOk);
    f.answer(block_of(kBody, 0));
    f.answer(second);
    zassert_equal(f.heard.responses, 1);
    zassert_equal(f.heard.failures, 1);
    zassert_equal(f.heard.failure, Status::kMalformed);
  };
  Reply reply = block_of(kBody, 1);
  reply.etag = kOther;  // another representation
  fails_with(reply);
  fails_with(block_of(kBody, 2));  // a gap
  reply = block_of(kBody, 1);
  reply.payload = reply.payload.first(kBlock - 1);  // a block in the middle that is not full
  fails_with(reply);
  reply = block_of(kBody, 1);
  reply.block2.reset();
  fails_with(reply);
}

ZTEST(coap_client, test_upload_goes_block_by_block_and_is_answered_later) {
  Fixture f;
  static constexpr auto kBody = pattern<2 * kBlock + 1>();
  zassert_equal(f.client.send(2, {.method = Method::kPost, .path = "up", .body = kBody}),
                Status::kOk);
  for (std::uint32_t number = 0; number < 3; ++number) {
    const coap::Incoming request = f.channel.last.parsed();
    zassert_equal(request.code, COAP_METHOD_POST);
    zassert_true(request.block1.has_value());
    zassert_equal(request.block1->number, number);
    zassert_equal(request.block1->more, number < 2);
    const Bytes expected = Bytes(kBody).subspan(number * kBlock);
    zassert_true(std::ranges::equal(
        request.payload, expected.first(std::min<std::size_t>(expected.size(), kBlock))));
    if (number < 2) f.answer({.code = coap::kContinue, .block1 = request.block1});
  }
  // The gateway acknowledges, commits, then answers in a message of its own.
  const coap::Token token = f.channel.last.parsed().token;
  f.answer({.code = coap::kEmpty});
  zassert_equal(f.client.next_timeout_ms(), UINT32_MAX);
  const Reply receipt{
      .type = coap::Type::kConfirmable, .code = make_code(2, 4), .message_id = 777, .token = token};
  f.hear(receipt);
  zassert_equal(f.heard.responses, 1);
  zassert_equal(f.heard.code, make_code(2, 4));
  zassert_equal(f.channel.last.parsed().type, coap::Type::kAcknowledgement);
  zassert_equal(f.channel.last.parsed().message_id, 777);

  // Our acknowledgement was lost: the repetition is acknowledged, not handled.
  const std::size_t sent = f.channel.sent;
  f.hear(receipt);
  zassert_equal(f.channel.sent, sent + 1);
  zassert_equal(f.channel.last.parsed().type, coap::Type::kAcknowledgement);
  zassert_equal(f.heard.responses, 1);
}

ZTEST(coap_client, test_gateway_may_ask_for_smaller_blocks) {
  Fixture f;
  static constexpr auto kBody = pattern<2 * kBlock>();
  constexpr std::uint8_t kSmaller = coap::kLargestSzx - 1;
  zassert_equal(f.client.send(2, {.method = Method::kPost, .path = "up", .body = kBody}),
                Status::kOk);
  f.answer(
      {.code = coap::kContinue, .block1 = coap::Block{.number = 0, .more = true, .szx = kSmaller}});
  // What was sent counts; it goes on in the smaller size.
  const coap::Incoming request = f.channel.last.parsed();
  zassert_equal(request.block1->number, 2);
  zassert_equal(request.block1->szx, kSmaller);
  zassert_true(std::ranges::equal(request.payload, Bytes(kBody).subspan(kBlock, kBlock / 2)));
}

ZTEST(coap_client, test_unanswered_message_is_repeated_then_ends_the_session) {
  Fixture f;
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kOk);
  zassert_equal(f.client.send(1, {.path = "b"}), Status::kOk);
  std::size_t sent = f.channel.sent;
  const Datagram first = f.channel.last;
  const std::uint32_t timeout_ms = f.client.next_timeout_ms();
  zassert_true(timeout_ms > 0 && timeout_ms <= 1500);
  k_msleep(500);
  f.client.poll();
  zassert_equal(f.channel.sent, sent, "before ACK_TIMEOUT");
  k_msleep(1100);
  f.client.poll();
  zassert_equal(f.channel.sent, sent + 2, "both");
  zassert_true(std::ranges::equal(f.channel.last.view(), first.view()), "the same message");
  k_msleep(3100);
  f.client.poll();
  zassert_equal(f.channel.sent, sent + 4);
  zassert_equal(f.heard.failures, 0);
  k_msleep(6100);
  f.client.poll();
  zassert_equal(f.channel.sent, sent + 4);
  zassert_equal(f.heard.failures, 2);
  zassert_equal(f.heard.failure, Status::kTimeout);
  zassert_equal(f.client.state(), SessionState::kClosed);
}

ZTEST(coap_client, test_observer_hears_newer_notifications_only) {
  Fixture f;
  zassert_equal(f.client.send(0, {.path = "round", .observe = true}), Status::kOk);
  const coap::Incoming request = f.channel.last.parsed();
  zassert_equal(request.observe, 0);
  const auto notification = [&](std::uint16_t id, std::uint32_t number) {
    return Reply{.type = coap::Type::kConfirmable,
                 .message_id = id,
                 .token = request.token,
                 .observe = number,
                 .payload = kTag};
  };
  f.answer({.observe = 5, .payload = kTag});
  zassert_equal(f.heard.responses, 1);
  f.hear(notification(10, 7));
  zassert_equal(f.heard.responses, 2);
  f.hear(notification(11, 6));  // overtaken
  zassert_equal(f.heard.responses, 2);
  zassert_equal(f.channel.last.parsed().type, coap::Type::kAcknowledgement);
  f.hear(notification(12, 0xFFFFFF));  // older, over the wrap-around
  zassert_equal(f.heard.responses, 2);
  k_msleep(129'000);
  f.hear(notification(13, 6));  // after so long any is newer
  zassert_equal(f.heard.responses, 3);

  f.client.cancel(0);
  f.hear(notification(14, 8));
  zassert_equal(f.heard.responses, 3);
  zassert_equal(f.channel.last.parsed().type, coap::Type::kReset, "that is how it ends");
  zassert_equal(f.channel.last.parsed().message_id, 14);
}

ZTEST(coap_client, test_large_notification_is_fetched_to_its_end) {
  Fixture f;
  static constexpr auto kBody = pattern<kBlock + 10>();
  zassert_equal(f.client.send(0, {.path = "round", .observe = true}), Status::kOk);
  const coap::Token token = f.channel.last.parsed().token;
  Reply first = block_of(kBody, 0);
  first.observe = 1;
  f.answer(first);
  // The rest is asked for without Observe, under a token of its own.
  const coap::Incoming request = f.channel.last.parsed();
  zassert_false(request.observe.has_value());
  zassert_false(request.has_token(token));
  zassert_equal(request.block2->number, 1);
  f.answer(block_of(kBody, 1));
  zassert_equal(f.heard.responses, 2);
  zassert_true(f.heard.last);
  zassert_true(std::ranges::equal(Bytes(f.heard.body).first(kBody.size()), kBody));
  // The observation is still on.
  f.hear(Reply{.type = coap::Type::kNonConfirmable,
               .message_id = 20,
               .token = token,
               .observe = 2,
               .payload = kTag});
  zassert_equal(f.heard.responses, 3);
}

ZTEST(coap_client, test_error_ends_an_observation) {
  Fixture f;
  zassert_equal(f.client.send(0, {.path = "round", .observe = true}), Status::kOk);
  f.answer({.code = make_code(5, 3)});
  zassert_equal(f.heard.code, make_code(5, 3));
  zassert_equal(f.client.send(0, {.path = "round", .observe = true}), Status::kOk);
}

ZTEST(coap_client, test_codes_that_the_library_does_not_know_are_heard) {
  Fixture f;
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kOk);
  f.answer({.code = make_code(4, 22)});
  zassert_equal(f.heard.code, make_code(4, 22));
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kOk);
  f.answer({.code = make_code(4, 30)});
  zassert_equal(f.heard.code, make_code(4, 30));
}

ZTEST(coap_client, test_reset_is_a_rejection) {
  Fixture f;
  zassert_equal(f.client.send(3, {.path = "a"}), Status::kOk);
  f.answer({.type = coap::Type::kReset, .code = coap::kEmpty});
  zassert_equal(f.heard.failures, 1);
  zassert_equal(f.heard.id, 3);
  zassert_equal(f.heard.failure, Status::kRejected);
}

ZTEST(coap_client, test_answer_to_something_else_is_not_heard) {
  Fixture f;
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kOk);
  const coap::Incoming request = f.channel.last.parsed();
  coap::Token other = request.token;
  other[7] ^= 1;
  f.hear(Reply{.message_id = request.message_id, .token = other, .payload = kTag});
  f.hear(Reply{.message_id = static_cast<std::uint16_t>(request.message_id + 1),
               .token = request.token,
               .payload = kTag});
  zassert_equal(f.heard.responses, 0);
  f.answer({.payload = kTag});
  zassert_equal(f.heard.responses, 1);
}

ZTEST(coap_client, test_broken_session_fails_all_requests) {
  Fixture f;
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kOk);
  zassert_equal(f.client.send(2, {.path = "b"}), Status::kOk);
  f.channel.broken = true;
  f.client.poll();
  zassert_equal(f.heard.failures, 2);
  zassert_equal(f.heard.failure, Status::kUnreachable);
  zassert_equal(f.client.state(), SessionState::kClosed);
  zassert_equal(f.client.next_timeout_ms(), UINT32_MAX);
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kUnreachable);
}

ZTEST(coap_client, test_failed_handshake_closes) {
  Heard heard;
  ScriptedChannel channel;
  channel.connects = Status::kUnreachable;
  CoapClient client(channel, kTiming);
  zassert_equal(client.open(heard), Status::kOk);
  zassert_equal(client.next_timeout_ms(), 0);
  client.poll();
  zassert_equal(client.state(), SessionState::kClosed);
  zassert_equal(heard.failures, 0, "there was no request");
}

ZTEST(coap_client, test_misuse_is_refused) {
  Fixture f;
  constexpr std::array<std::uint8_t, 9> kLongTag{};
  static constexpr auto kPath = [] {
    std::array<char, 1000> path{};
    std::fill_n(path.begin(), path.size() - 1, 'p');
    return path;
  }();
  zassert_equal(f.client.send(kMaxRequests, {.path = "a"}), Status::kInvalidArgument);
  zassert_equal(f.client.send(0, {.path = "a", .etag = kLongTag}), Status::kInvalidArgument);
  zassert_equal(f.client.send(0, {.path = kPath.data()}), Status::kNoMemory);
  zassert_equal(f.channel.sent, 0);
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kOk);
  zassert_equal(f.client.send(0, {.path = "a"}), Status::kInvalidArgument, "under way");
}

}  // namespace

ZTEST_SUITE(coap_client, nullptr, nullptr, nullptr, nullptr, nullptr);

}  // namespace skep::transport::test
