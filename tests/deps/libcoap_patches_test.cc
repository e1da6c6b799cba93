// Each behaviour change of tools/deps/patches/libcoap/ has its test here.
#include <arpa/inet.h>
#include <coap3/coap.h>
#include <gtest/gtest.h>
#include <mbedtls/ssl_cookie.h>
#include <netinet/in.h>
#include <psa/crypto.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

constexpr std::uint8_t kContinue = 0x5F;  // 2.31

/// A loopback port that the system found free a moment ago.
coap_address_t unused_address() {
  coap_address_t address;
  coap_address_init(&address);
  address.size = sizeof(address.addr.sin);
  address.addr.sin.sin_family = AF_INET;
  address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int probe = socket(AF_INET, SOCK_DGRAM, 0);
  EXPECT_EQ(bind(probe, &address.addr.sa, address.size), 0);
  EXPECT_EQ(getsockname(probe, &address.addr.sa, &address.size), 0);
  close(probe);
  return address;
}

struct FreeContext {
  void operator()(coap_context_t* context) const { coap_free_context(context); }
};

/// A server on loopback that reassembles bodies, and a bare socket to talk to it.
class SingleBodyServer : public testing::Test {
 protected:
  void SetUp() override {
    coap_startup();
    coap_set_log_level(COAP_LOG_EMERG);
    context_.reset(coap_new_context(nullptr));
    ASSERT_NE(context_, nullptr);
    coap_context_set_block_mode(context_.get(), COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);

    const coap_address_t address = unused_address();
    ASSERT_NE(coap_new_endpoint(context_.get(), &address, COAP_PROTO_UDP), nullptr);

    coap_resource_t* resource = coap_resource_init(coap_make_str_const("u"), 0);
    coap_register_request_handler(
        resource, COAP_REQUEST_PUT,
        [](coap_resource_t* self, coap_session_t* /*session*/, const coap_pdu_t* request,
           const coap_string_t* /*query*/, coap_pdu_t* response) {
          std::size_t length = 0;
          std::size_t offset = 0;
          std::size_t total = 0;
          const std::uint8_t* data = nullptr;
          coap_get_data_large(request, &length, &data, &offset, &total);
          auto* bodies = static_cast<std::vector<std::size_t>*>(coap_resource_get_userdata(self));
          bodies->push_back(length);
          coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
        });
    coap_resource_set_userdata(resource, &bodies_);
    coap_add_resource(context_.get(), resource);

    socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT_EQ(connect(socket_, &address.addr.sa, address.size), 0);
  }

  void TearDown() override {
    close(socket_);
    context_.reset();
    coap_cleanup();
  }

  /// PUT /u with one Block1 of 16 bytes; the code of the answer, 0 for none.
  std::uint8_t put_block(std::uint8_t number, bool more) {
    const auto block1 = static_cast<std::uint8_t>(number << 4 | (more ? 8 : 0));  // of 16 bytes
    // Confirmable PUT, token 1, Uri-Path "u", Block1, payload.
    std::vector<std::uint8_t> request = {0x41, 0x03, 0x00, ++message_id_, 0x01,  //
                                         0xB1, 'u',  0xD1, 0x03,          block1, 0xFF};
    request.resize(request.size() + 16, 'x');
    EXPECT_EQ(send(socket_, request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    for (int i = 0; i < 20; ++i) {
      EXPECT_GE(coap_io_process(context_.get(), 10), 0);
      std::array<std::uint8_t, 64> answer;
      if (recv(socket_, answer.data(), answer.size(), MSG_DONTWAIT) >= 4) return answer[1];
    }
    return 0;
  }

  std::unique_ptr<coap_context_t, FreeContext> context_;
  std::vector<std::size_t> bodies_;
  int socket_ = -1;
  std::uint8_t message_id_ = 0;
};

// 0001-block1-without-final-block: the unpatched library dereferences NULL at the first block
// of a body whose size was not announced.
TEST_F(SingleBodyServer, FirstBlockWithoutSizeAsksForTheNext) {
  EXPECT_EQ(put_block(0, true), kContinue);
  EXPECT_TRUE(bodies_.empty());
}

TEST_F(SingleBodyServer, BodyIsHandedOverOnceComplete) {
  EXPECT_EQ(put_block(0, true), kContinue);
  EXPECT_EQ(put_block(1, true), kContinue);
  EXPECT_EQ(put_block(2, false), COAP_RESPONSE_CODE_CHANGED);
  EXPECT_EQ(bodies_, std::vector<std::size_t>{48});
}

TEST_F(SingleBodyServer, MiddleBlockFirstIsNoBody) {
  EXPECT_EQ(put_block(1, true), kContinue);
  EXPECT_TRUE(bodies_.empty());
}

/// A DTLS server that asks about each ClientHello, and what it was asked.
class HelloServer : public testing::Test {
 protected:
  void SetUp() override {
    coap_startup();
    coap_set_log_level(COAP_LOG_EMERG);
    context_.reset(coap_new_context(nullptr));
    ASSERT_NE(context_, nullptr);
    coap_set_app_data(context_.get(), this);
    coap_dtls_spsk_t psk{};
    psk.version = COAP_DTLS_SPSK_SETUP_VERSION;
    psk.psk_info.key = {.length = sizeof(key_), .s = key_};
    ASSERT_EQ(coap_context_set_psk2(context_.get(), &psk), 1);
    mbedtls_ssl_cookie_init(&cookies_);
    ASSERT_EQ(psa_crypto_init(), PSA_SUCCESS);
    ASSERT_EQ(mbedtls_ssl_cookie_setup(&cookies_, nullptr, nullptr), 0);
    coap_context_set_hello_handler(context_.get(), &HelloServer::on_hello, &cookies_);
    coap_register_event_handler(context_.get(), &HelloServer::on_event);
    const coap_address_t address = unused_address();
    ASSERT_NE(coap_new_endpoint(context_.get(), &address, COAP_PROTO_DTLS), nullptr);
    socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT_EQ(connect(socket_, &address.addr.sa, address.size), 0);
  }

  void TearDown() override {
    close(socket_);
    context_.reset();
    mbedtls_ssl_cookie_free(&cookies_);
    coap_cleanup();
  }

  static int on_hello(coap_context_t* context, const coap_address_t* /*remote*/,
                      const std::uint8_t* /*data*/, std::size_t length, std::uint8_t* reply,
                      std::size_t* reply_length) {
    auto& self = *static_cast<HelloServer*>(coap_get_app_data(context));
    self.asked_.push_back(length);
    EXPECT_GE(*reply_length, 60U);
    reply[0] = 'x';
    *reply_length = 1;
    return self.welcome_ ? 1 : 0;
  }

  static int on_event(coap_session_t* session, coap_event_t event) {
    auto& self = *static_cast<HelloServer*>(coap_get_app_data(coap_session_get_context(session)));
    self.begun_ += event == COAP_EVENT_SERVER_SESSION_NEW ? 1 : 0;
    self.ended_ += event == COAP_EVENT_SERVER_SESSION_DEL ? 1 : 0;
    return 0;
  }

  /// Length of the answer to this datagram, 0 for none.
  ssize_t exchange(const std::vector<std::uint8_t>& datagram) {
    EXPECT_EQ(send(socket_, datagram.data(), datagram.size(), 0),
              static_cast<ssize_t>(datagram.size()));
    std::array<std::uint8_t, 256> answer;
    ssize_t length = -1;
    for (int i = 0; i < 20 && length < 0; ++i) {
      EXPECT_GE(coap_io_process(context_.get(), 10), 0);
      length = recv(socket_, answer.data(), answer.size(), MSG_DONTWAIT);
    }
    return length < 0 ? 0 : length;
  }

  /// The head of a ClientHello, and nothing that Mbed TLS could make sense of.
  static std::vector<std::uint8_t> broken_hello(std::uint8_t type = 22) {
    std::vector<std::uint8_t> datagram(80, 0xFF);
    const std::array<std::uint8_t, 14> head = {type, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 67, 1};
    std::copy(head.begin(), head.end(), datagram.begin());
    return datagram;
  }

  const std::uint8_t key_[4] = {1, 2, 3, 4};
  mbedtls_ssl_cookie_ctx cookies_;
  std::unique_ptr<coap_context_t, FreeContext> context_;
  bool welcome_ = false;
  std::vector<std::size_t> asked_;
  int begun_ = 0;
  int ended_ = 0;
  int socket_ = -1;
};

// 0007-stateless-cookies: the unpatched library makes a session first.
TEST_F(HelloServer, NothingIsKeptOfAHelloThatIsNotWelcome) {
  EXPECT_EQ(exchange(broken_hello()), 1);
  EXPECT_EQ(exchange(broken_hello(23)), 0);
  EXPECT_EQ(asked_, std::vector<std::size_t>{80});
  EXPECT_EQ(begun_, 0);
}

TEST_F(HelloServer, ASessionWhoseHelloFailsEndsAtOnce) {
  welcome_ = true;
  (void)exchange(broken_hello());
  EXPECT_EQ(asked_.size(), 1U);
  EXPECT_EQ(begun_, 1);
  EXPECT_EQ(ended_, 1);
}

}  // namespace
