// Whatever datagram the gateway's session delivers, the client survives it, and its handler hears
// nothing that does not belong to a request.
#include <zephyr/random/random.h>
#include <zephyr/ztest.h>

#include "scripted_gateway.h"
#include "skep/transport_zephyr/coap_client.h"

namespace skep::transport::test {
namespace {

struct Client {
  Heard heard;
  ScriptedChannel channel;
  CoapClient client{channel, CoapTiming{}};

  Client() {
    zassert_equal(client.open(heard), Status::kOk);
    client.poll();
    zassert_equal(client.send(0, {.path = "a"}), Status::kOk);
  }

  // The answer to that request, as it comes over the wire; it is taken out again.
  Datagram answer() {
    const coap::Incoming request = channel.last.parsed();
    static constexpr auto kPayload = pattern<20>();
    channel.deliver(Reply{.message_id = request.message_id,
                          .token = request.token,
                          .etag = Bytes(kPayload).first(8),
                          .block2 = coap::Block{},
                          .size2 = 20,
                          .payload = kPayload});
    Datagram datagram;
    const Result<std::size_t> length = channel.receive(datagram.bytes);
    datagram.length = *length;
    return datagram;
  }
};

ZTEST(coap_malformed, test_truncated_answer_never_reads_beyond_its_end) {
  for (std::size_t length = 1;; ++length) {
    Client c;
    const Datagram whole = c.answer();
    if (length == whole.length) break;
    c.channel.deliver(whole.view().first(length));
    c.client.poll();
    if (c.heard.responses == 0) continue;
    // Cut behind an option or within the payload: a shorter message, and a valid one.
    zassert_true(c.heard.body_bytes < 20);
    zassert_true(length >= 4 + coap::kTokenBytes);
  }
}

ZTEST(coap_malformed, test_answer_with_a_flipped_bit_is_for_this_request_or_unheard) {
  for (std::size_t bit = 0;; ++bit) {
    Client c;
    Datagram datagram = c.answer();
    if (bit == datagram.length * 8) break;
    datagram.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    c.channel.deliver(datagram.view());
    c.client.poll();
    const std::size_t heard = c.heard.responses + c.heard.failures;
    zassert_true(heard <= 1);
    // Version and token length, message id and token decide whose it is.
    const bool in_token = bit >= 32 && bit < 96;
    if (in_token) zassert_equal(heard, 0, "bit %zu", bit);
    if (c.heard.responses == 1) zassert_equal(c.heard.id, 0);
  }
}

ZTEST(coap_malformed, test_noise_is_ignored) {
  Client c;
  std::array<std::uint8_t, 40> noise{};
  for (int i = 0; i < 20'000; ++i) {
    sys_rand_get(noise.data(), noise.size());
    noise[0] = static_cast<std::uint8_t>((noise[0] & 0x3FU) | 0x40U);  // the right version
    c.channel.deliver(Bytes(noise).first(1 + noise[1] % noise.size()));
    c.client.poll();
  }
  zassert_equal(c.heard.responses, 0);
  zassert_equal(c.client.state(), SessionState::kEstablished);
}

}  // namespace

ZTEST_SUITE(coap_malformed, nullptr, nullptr, nullptr, nullptr, nullptr);

}  // namespace skep::transport::test
