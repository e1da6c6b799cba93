#include "hello_verifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace skep::app {
namespace {

using Buffer = std::vector<std::uint8_t>;

constexpr std::size_t kBodyAt = 25;

/// A ClientHello of DTLS 1.2 with the second handshake message number and the fifth record number.
Buffer client_hello(Bytes session_id, Bytes cookie) {
  Buffer hello = {22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0};
  hello.insert(hello.end(), {0xFE, 0xFD});
  hello.resize(hello.size() + 32, 0x55);
  hello.push_back(static_cast<std::uint8_t>(session_id.size()));
  hello.insert(hello.end(), session_id.begin(), session_id.end());
  hello.push_back(static_cast<std::uint8_t>(cookie.size()));
  hello.insert(hello.end(), cookie.begin(), cookie.end());
  hello.insert(hello.end(), {0, 2, 0xC0, 0xAE, 1, 0});  // one cipher suite, no compression
  return hello;
}

Bytes id_of(const std::string& peer) {
  return {reinterpret_cast<const std::uint8_t*>(peer.data()), peer.size()};
}

const std::string kPeer = "192.0.2.1:40000";

class HelloVerifierTest : public testing::Test {
 protected:
  HelloVerdict judge(Bytes datagram, const std::string& peer = kPeer) {
    const HelloJudgement judgement = verifier_.judge(datagram, id_of(peer), room_);
    reply_.assign(room_.begin(),
                  room_.begin() + static_cast<std::ptrdiff_t>(judgement.reply_bytes));
    return judgement.verdict;
  }

  Buffer cookie_for(const std::string& peer = kPeer) {
    EXPECT_EQ(judge(client_hello({}, {}), peer), HelloVerdict::kUnverified);
    return {reply_.begin() + 28, reply_.end()};
  }

  HelloVerifier verifier_;
  std::array<std::uint8_t, 128> room_{};
  Buffer reply_;
};

TEST_F(HelloVerifierTest, AnswersWithAHelloVerifyRequest) {
  const Buffer hello = client_hello({}, {});
  EXPECT_EQ(judge(hello), HelloVerdict::kUnverified);
  ASSERT_EQ(reply_.size(), HelloVerifier::kReplyBytes);
  EXPECT_LE(reply_.size(), hello.size());
  // RFC 6347, sections 4.2.1 and 4.3.2: type, the client's record and message numbers, lengths.
  const Buffer head = {22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 5,  0,    47,   3,
                       0,  0,    35,   0, 2, 0, 0, 0, 0, 0, 35, 0xFE, 0xFF, 32};
  EXPECT_TRUE(std::equal(head.begin(), head.end(), reply_.begin()));
}

TEST_F(HelloVerifierTest, TakesItsOwnCookieFromTheSamePeerOnly) {
  const Buffer cookie = cookie_for();
  EXPECT_EQ(judge(client_hello({}, cookie)), HelloVerdict::kVerified);
  EXPECT_TRUE(reply_.empty());
  EXPECT_EQ(judge(client_hello(Buffer(32, 7), cookie)), HelloVerdict::kVerified);
  EXPECT_EQ(judge(client_hello({}, cookie), "192.0.2.1:40001"), HelloVerdict::kUnverified);
  for (std::size_t byte = 0; byte < cookie.size(); ++byte) {
    Buffer forged = cookie;
    forged[byte] ^= 1;
    EXPECT_EQ(judge(client_hello({}, forged)), HelloVerdict::kUnverified) << byte;
  }
  EXPECT_EQ(judge(client_hello({}, Bytes(cookie).first(cookie.size() - 1))),
            HelloVerdict::kUnverified);
  EXPECT_EQ(judge(client_hello({}, Buffer(255, 0))), HelloVerdict::kUnverified);

  HelloVerifier other;  // another gateway, or this one after a restart
  EXPECT_EQ(other.judge(client_hello({}, cookie), id_of(kPeer), room_).verdict,
            HelloVerdict::kUnverified);
}

TEST_F(HelloVerifierTest, AnswersNothingThatIsNoClientHello) {
  const Buffer hello = client_hello(Buffer(32, 7), cookie_for());
  const std::size_t end_of_cookie = hello.size() - 6;
  for (std::size_t length = 0; length < end_of_cookie; ++length) {
    EXPECT_EQ(judge(Bytes(hello).first(length)), HelloVerdict::kMalformed) << length;
    EXPECT_TRUE(reply_.empty());
  }
  for (const std::size_t at : {0U, 3U, 4U, 13U, 19U, 20U, 21U}) {
    Buffer other = hello;
    other[at] ^= 0x20;
    EXPECT_EQ(judge(other), HelloVerdict::kMalformed) << at;
  }
  for (const std::size_t at : {59U, 92U}) {  // lengths beyond the end
    Buffer other = hello;
    other[at] = 255;
    EXPECT_EQ(judge(other), HelloVerdict::kMalformed) << at;
  }
}

TEST_F(HelloVerifierTest, NeedsRoomForItsReply) {
  const Buffer hello = client_hello({}, {});
  std::array<std::uint8_t, HelloVerifier::kReplyBytes - 1> small{};
  EXPECT_EQ(verifier_.judge(hello, id_of(kPeer), small).verdict, HelloVerdict::kMalformed);
  std::array<std::uint8_t, HelloVerifier::kReplyBytes> exact{};
  EXPECT_EQ(verifier_.judge(hello, id_of(kPeer), exact).verdict, HelloVerdict::kUnverified);
}

}  // namespace
}  // namespace skep::app
