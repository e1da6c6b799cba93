// Each behaviour change of tools/deps/patches/libcoap/ has its test here.
#include <arpa/inet.h>
#include <coap3/coap.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

constexpr std::uint8_t kContinue = 0x5F;  // 2.31

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

  /// A loopback port that the system found free a moment ago.
  static coap_address_t unused_address() {
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

}  // namespace
