#include "skep/transport_coap/coap_client.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "skep/config.h"
#include "skep/transport_testing/certificates.h"
#include "skep/transport_testing/coap_server.h"

namespace skep::transport {
namespace {

using transport_testing::CoapServer;
using transport_testing::Credential;
using transport_testing::make_credential;
using transport_testing::Usage;

constexpr std::array<std::uint8_t, 4> kLoopback{127, 0, 0, 1};
constexpr CoapTiming kQuick{.ack_timeout_ms = 50, .max_retransmit = 1};

struct Recorder final : ResponseHandler {
  struct Heard {
    RequestId id;
    std::uint8_t code;
    std::uint32_t offset;
    std::uint32_t total_bytes;
    bool last;
    std::vector<std::uint8_t> payload;
    std::vector<std::uint8_t> etag;
    std::uint32_t max_age_s;
  };
  void on_response(RequestId id, const Response& response) override {
    heard.push_back({id,
                     response.code,
                     response.offset,
                     response.total_bytes,
                     response.last,
                     {response.payload.begin(), response.payload.end()},
                     {response.etag.begin(), response.etag.end()},
                     response.max_age_s});
  }
  void on_failure(RequestId id, Status status) override { failures.emplace_back(id, status); }

  std::vector<Heard> heard;
  std::vector<std::pair<RequestId, Status>> failures;
};

std::vector<std::uint8_t> pattern(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

class CoapClientTest : public testing::Test {
 protected:
  CoapClientTest() { coap_set_log_level(COAP_LOG_EMERG); }

  void serve_with(const Credential& own) {
    server_.emplace(own, authority());
    server_->model = pattern(20'000);
    server_->round = pattern(100);
    client_.emplace(CoapEndpoint{.gateway_ip = kLoopback,
                                 .gateway_port = server_->port(),
                                 .ca_certificate = authority().certificate,
                                 .device_certificate = device().certificate,
                                 .device_private_key = device().private_scalar},
                    kQuick);
  }

  // Both ends take turns until the condition holds; far more turns than any of it takes.
  template <typename Condition>
  bool run_until(Condition condition) {
    for (int turn = 0; turn < 5'000; ++turn) {
      if (condition()) return true;
      client_->poll();
      if (server_.has_value()) server_->poll();
      ::poll(nullptr, 0, 1);
    }
    return condition();
  }

  void connect() {
    serve_with(gateway());
    ASSERT_EQ(client_->open(recorder_), Status::kOk);
    EXPECT_EQ(client_->state(), SessionState::kHandshaking);
    ASSERT_TRUE(run_until([&] { return client_->state() == SessionState::kEstablished; }));
  }

  bool run_until_heard(std::size_t count) {
    return run_until([&] { return recorder_.heard.size() >= count; });
  }

  static const Credential& authority() {
    static const Credential credential = make_credential("authority", Usage::kAuthority, nullptr);
    return credential;
  }
  static const Credential& gateway() {
    static const Credential credential = make_credential("gateway", Usage::kServer, &authority());
    return credential;
  }
  static const Credential& device() {
    static const Credential credential = make_credential("bee-1", Usage::kClient, &authority());
    return credential;
  }

  Recorder recorder_;
  std::optional<CoapServer> server_;
  std::optional<CoapClient> client_;
};

TEST_F(CoapClientTest, LargeBodyArrivesBlockByBlockInOrder) {
  connect();
  ASSERT_EQ(client_->send(1, {.path = "model", .query = "v=3"}), Status::kOk);
  ASSERT_TRUE(run_until([&] { return !recorder_.heard.empty() && recorder_.heard.back().last; }));
  std::vector<std::uint8_t> body;
  for (const Recorder::Heard& block : recorder_.heard) {
    EXPECT_EQ(block.id, 1);
    EXPECT_EQ(block.code, kContent);
    EXPECT_EQ(block.offset, body.size());
    EXPECT_EQ(block.total_bytes, server_->model.size());
    EXPECT_LE(block.payload.size(), kCoapBlockBytes);
    EXPECT_EQ(block.etag, recorder_.heard[0].etag);
    EXPECT_FALSE(block.etag.empty());
    body.insert(body.end(), block.payload.begin(), block.payload.end());
  }
  EXPECT_EQ(body, server_->model);
  // The id is free again.
  EXPECT_EQ(client_->send(1, {.path = "model"}), Status::kOk);
}

TEST_F(CoapClientTest, ShowsTheGatewaysCertificate) {
  EXPECT_TRUE(client_->peer_certificate().empty());
  connect();
  EXPECT_TRUE(std::ranges::equal(client_->peer_certificate(), gateway().certificate));
  client_->close();
  EXPECT_TRUE(client_->peer_certificate().empty());
}

TEST_F(CoapClientTest, ObserverHearsNotifications) {
  connect();
  ASSERT_EQ(client_->send(0, {.path = "round", .observe = true}), Status::kOk);
  ASSERT_TRUE(run_until_heard(1));
  EXPECT_EQ(recorder_.heard[0].payload, server_->round);
  for (std::size_t i = 2; i <= 4; ++i) {
    server_->round[0] = static_cast<std::uint8_t>(i);
    server_->notify();
    ASSERT_TRUE(run_until_heard(i));
    EXPECT_EQ(recorder_.heard.back().payload, server_->round);
    EXPECT_EQ(recorder_.heard.back().id, 0);
  }
}

TEST_F(CoapClientTest, NothingIsHeardAfterCancel) {
  connect();
  ASSERT_EQ(client_->send(0, {.path = "round", .observe = true}), Status::kOk);
  ASSERT_TRUE(run_until_heard(1));
  client_->cancel(0);
  server_->notify();
  // An answered request shows that what was sent before it has arrived as well.
  ASSERT_EQ(client_->send(2, {.path = "busy"}), Status::kOk);
  ASSERT_TRUE(run_until_heard(2));
  EXPECT_EQ(recorder_.heard[1].id, 2);
  ASSERT_EQ(client_->send(0, {.path = "round", .observe = true}), Status::kOk);
  ASSERT_TRUE(run_until_heard(3));
  EXPECT_EQ(recorder_.heard.size(), 3U);
}

TEST_F(CoapClientTest, LargeBodyIsPosted) {
  connect();
  const std::vector<std::uint8_t> body = pattern(5'000);
  ASSERT_EQ(client_->send(2, {.method = Method::kPost, .path = "updates", .body = body}),
            Status::kOk);
  ASSERT_TRUE(run_until_heard(1));
  EXPECT_EQ(recorder_.heard[0].code, make_code(2, 4));
  EXPECT_TRUE(recorder_.heard[0].last);
  EXPECT_EQ(std::string(recorder_.heard[0].payload.begin(), recorder_.heard[0].payload.end()),
            "5000");
  ASSERT_EQ(server_->posted.size(), 1U);
  EXPECT_EQ(server_->posted[0], body);
}

TEST_F(CoapClientTest, ErrorsAreResponses) {
  connect();
  ASSERT_EQ(client_->send(0, {.path = "busy", .observe = true}), Status::kOk);
  ASSERT_TRUE(run_until_heard(1));
  EXPECT_EQ(recorder_.heard[0].code, make_code(5, 3));
  EXPECT_EQ(recorder_.heard[0].max_age_s, 300U);
  ASSERT_EQ(client_->send(0, {.path = "nowhere"}), Status::kOk) << "an error ends an observation";
  ASSERT_TRUE(run_until_heard(2));
  EXPECT_EQ(recorder_.heard[1].code, make_code(4, 4));
  EXPECT_EQ(recorder_.heard[1].max_age_s, 0U);
}

TEST_F(CoapClientTest, MisuseIsRefused) {
  connect();
  EXPECT_EQ(client_->send(kMaxRequests, {.path = "model"}), Status::kInvalidArgument);
  const std::array<std::uint8_t, 9> long_etag{};
  EXPECT_EQ(client_->send(0, {.path = "model", .etag = long_etag}), Status::kInvalidArgument);
  ASSERT_EQ(client_->send(0, {.path = "model"}), Status::kOk);
  EXPECT_EQ(client_->send(0, {.path = "model"}), Status::kInvalidArgument) << "under way";
  client_->close();
  EXPECT_EQ(client_->state(), SessionState::kClosed);
  EXPECT_EQ(client_->send(1, {.path = "model"}), Status::kUnreachable);
  EXPECT_EQ(client_->wait_fd(), -1);
  EXPECT_EQ(client_->next_timeout_ms(), UINT32_MAX);
}

TEST_F(CoapClientTest, GatewayOfAnotherAuthorityIsRefused) {
  const Credential other = make_credential("authority", Usage::kAuthority, nullptr);
  connect();  // the same set-up with the right gateway is accepted
  serve_with(make_credential("gateway", Usage::kServer, &other));
  ASSERT_EQ(client_->open(recorder_), Status::kOk);
  EXPECT_TRUE(run_until([&] { return client_->state() != SessionState::kHandshaking; }));
  EXPECT_EQ(client_->state(), SessionState::kClosed);
}

// Any device holds a certificate of the same authority: it must not pass for a gateway.
TEST_F(CoapClientTest, DeviceCannotPoseAsGateway) {
  connect();
  serve_with(make_credential("bee-2", Usage::kClient, &authority()));
  ASSERT_EQ(client_->open(recorder_), Status::kOk);
  EXPECT_TRUE(run_until([&] { return client_->state() != SessionState::kHandshaking; }));
  EXPECT_EQ(client_->state(), SessionState::kClosed);
}

TEST_F(CoapClientTest, HandshakeWithNobodyFails) {
  serve_with(gateway());
  server_.reset();
  ASSERT_EQ(client_->open(recorder_), Status::kOk);
  EXPECT_TRUE(run_until([&] { return client_->state() == SessionState::kClosed; }));
}

TEST_F(CoapClientTest, ServerThatEndsClosesTheSession) {
  connect();
  ASSERT_EQ(client_->send(0, {.path = "round", .observe = true}), Status::kOk);
  ASSERT_TRUE(run_until_heard(1));
  ASSERT_EQ(client_->send(1, {.path = "model"}), Status::kOk);
  server_.reset();
  ASSERT_TRUE(run_until([&] { return client_->state() == SessionState::kClosed; }));
  ASSERT_EQ(recorder_.failures.size(), 1U);
  EXPECT_EQ(recorder_.failures[0], (std::pair{RequestId{1}, Status::kUnreachable}));
  // libcoap's server takes leave of its observers.
  EXPECT_EQ(recorder_.heard.back().id, 0);
  EXPECT_FALSE(is_success(recorder_.heard.back().code));
}

// As after a power cut: the server answers nothing, in the middle of a body.
TEST_F(CoapClientTest, SilenceInMidTransferIsATimeout) {
  connect();
  ASSERT_EQ(client_->send(1, {.path = "model"}), Status::kOk);
  ASSERT_TRUE(run_until_heard(2));
  for (int turn = 0; turn < 20'000 && recorder_.failures.empty(); ++turn) {
    client_->poll();
    ::poll(nullptr, 0, 1);
  }
  ASSERT_EQ(recorder_.failures.size(), 1U);
  EXPECT_EQ(recorder_.failures[0], (std::pair{RequestId{1}, Status::kTimeout}));
}

TEST_F(CoapClientTest, BadCredentialsAreRefused) {
  Recorder recorder;
  CoapClient no_key({.gateway_ip = kLoopback}, kQuick);
  EXPECT_EQ(no_key.open(recorder), Status::kInvalidArgument);
  CoapClient no_address({.device_private_key = device().private_scalar}, kQuick);
  EXPECT_EQ(no_address.open(recorder), Status::kInvalidArgument);
  EXPECT_EQ(no_address.state(), SessionState::kClosed);
}

}  // namespace
}  // namespace skep::transport
