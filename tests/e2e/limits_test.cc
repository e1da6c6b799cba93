// What one peer may take of the running skepd: handshakes, sessions, registrations, requests; and
// what replaying a captured update gets it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "skep/demo/federated_data.h"
#include "skep/process/process.h"
#include "skep/seal/crypto.h"
#include "skep/seal/verifiers.h"
#include "skep/wire/resources.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

#if defined(__SANITIZE_ADDRESS__)
// Its allocator keeps freed memory for a while.
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr std::size_t kMebibyte = std::size_t{1} << 20U;

/// One UDP socket: an address and port of its own, as a flood makes them up.
class Source {
 public:
  /// 127.0.`network`.`host`.
  Source(std::uint8_t network, std::uint8_t host, std::uint16_t gateway_port)
      : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x7F00'0000U | std::uint32_t{network} << 8U | host);
    const auto* own = reinterpret_cast<const sockaddr*>(&address);
    if (fd_ < 0 || ::bind(fd_, own, sizeof address) != 0) fail();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(gateway_port);
    if (::connect(fd_, own, sizeof address) != 0) fail();
  }
  Source(Source&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Source() {
    if (fd_ >= 0) ::close(fd_);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  Source& operator=(Source&&) = delete;

  void send(Bytes datagram) const {
    if (::send(fd_, datagram.data(), datagram.size(), 0) < 0) fail();
  }

  /// Empty if none comes.
  [[nodiscard]] Buffer receive(int limit_ms) const {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    Buffer datagram(2048);
    const bool has_one = ::poll(&ready, 1, limit_ms) == 1;
    const ssize_t length = has_one ? ::recv(fd_, datagram.data(), datagram.size(), 0) : 0;
    datagram.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return datagram;
  }

 private:
  [[noreturn]] static void fail() {
    throw std::system_error(errno, std::generic_category(), "UDP socket");
  }
  int fd_;
};

/// ClientHello of DTLS 1.2 as a device sends it, number 0 without a cookie and 1 with one.
Buffer client_hello(Bytes cookie) {
  const std::uint8_t number = cookie.empty() ? 0 : 1;
  Buffer body = {0xFE, 0xFD};
  body.resize(body.size() + 32, 0x55);  // random
  body.push_back(0);                    // no session
  body.push_back(static_cast<std::uint8_t>(cookie.size()));
  body.insert(body.end(), cookie.begin(), cookie.end());
  // ECDHE-ECDSA with AES-128-CCM-8, no compression, P-256, uncompressed, SHA-256 with ECDSA.
  body.insert(body.end(), {0, 2, 0xC0, 0xAE, 1, 0, 0, 26});
  body.insert(body.end(), {0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0});
  body.insert(body.end(), {0, 13, 0, 4, 0, 2, 4, 3, 0, 23, 0, 0});
  const auto length = static_cast<std::uint8_t>(body.size());
  const auto record = static_cast<std::uint8_t>(body.size() + 12);
  const std::array<std::uint8_t, 25> head = {22,     0xFE,   0xFD, 0,      0, 0, 0,     0,      0,
                                             0,      number, 0,    record, 1, 0, 0,     length, 0,
                                             number, 0,      0,    0,      0, 0, length};
  Buffer hello(head.size() + body.size());
  std::ranges::copy(body, std::ranges::copy(head, hello.begin()).out);
  return hello;
}

/// The cookie of a HelloVerifyRequest (RFC 6347, section 4.2.1); empty if it is none.
Buffer cookie_of(const Buffer& reply) {
  constexpr std::size_t kCookieAt = 28;
  const bool is_one = reply.size() > kCookieAt && reply[0] == 22 && reply[13] == 3 &&
                      reply.size() == kCookieAt + reply[kCookieAt - 1];
  return is_one ? Buffer(reply.begin() + kCookieAt, reply.end()) : Buffer{};
}

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() { EXPECT_EQ(seal::initialize_crypto(), Status::kOk); }

  static std::unique_ptr<TestClient> connect(const wire::DeviceCredentials& credentials) {
    auto client = std::make_unique<TestClient>(credentials);
    EXPECT_TRUE(client->connect()) << credentials.device << " has no session";
    return client;
  }

  [[nodiscard]] std::uint64_t limit_count(const char* name) const {
    return gateway_.operate({"round", "status"}).at("limits").at(name);
  }

  /// For what happens within seconds. False if it has not after a minute.
  static bool wait_until(const std::function<bool()>& condition) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::sleep_for(50ms);
    }
    return true;
  }

  bool wait_for_record(const std::string& event, const std::string& device,
                       const std::string& after) {
    return wait_until([&] {
      const json answer = gateway_.operate({"audit", "list", "--limit", "1000"});
      return std::ranges::any_of(answer.at("records"), [&](const json& record) {
        return record.at("event") == event && record.at("actor").at("name") == device &&
               record.at("after").get<std::string>().starts_with(after);
      });
    });
  }

  Gateway gateway_;
};

TEST_F(LimitsTest, RegistrationsOfAnAddressAndRequestsOfADevice) {
  gateway_.configure("registrations_per_minute", "10");
  gateway_.configure("requests_per_minute", "60");
  std::vector<wire::DeviceCredentials> bees;
  for (int i = 0; i < 12; ++i) bees.push_back(gateway_.enrol("bee-" + std::to_string(i)));
  gateway_.start();

  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect(bees[i]));
    EXPECT_EQ(code_text(clients[i]->get(wire::kRoundPath).code), "2.05");
  }
  for (int i = 10; i < 12; ++i) {
    const auto late = connect(bees[i]);
    const Answer answer = late->get(wire::kRoundPath);
    EXPECT_EQ(code_text(answer.code), "4.29");
    EXPECT_EQ(answer.problem(), Status::kBusy);
    EXPECT_GE(answer.max_age_s, 1U);
    EXPECT_LE(answer.max_age_s, 60U);
    EXPECT_FALSE(late->is_lost());
  }
  EXPECT_EQ(limit_count("registrations_refused"), 2U);
  EXPECT_TRUE(wait_for_record("session_refused", "bee-10", "kBusy: too many devices register"));

  // Who is registered goes on, in a new session, too: as long as its budget lasts.
  clients[0] = connect(bees[0]);
  const auto begin = std::chrono::steady_clock::now();
  std::uint32_t served = 1;  // above
  Answer answer = clients[0]->get(wire::kRoundPath);
  for (; answer.code == COAP_RESPONSE_CODE_CONTENT && served < 1'000; ++served) {
    answer = clients[0]->get(wire::kRoundPath);
  }
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  EXPECT_EQ(code_text(answer.code), "4.29");
  EXPECT_EQ(answer.max_age_s, 1U);
  EXPECT_GE(served, 60U);
  EXPECT_LE(served, 60U + static_cast<std::uint32_t>(seconds.count()) + 60U);
  EXPECT_EQ(code_text(clients[1]->get(wire::kRoundPath).code), "2.05");
  EXPECT_GE(limit_count("requests_refused"), 1U);
  EXPECT_TRUE(wait_for_record("session_refused", "bee-0", "kBusy: more requests"));
  std::this_thread::sleep_for(1s);  // as it was told
  EXPECT_EQ(code_text(clients[0]->get(wire::kRoundPath).code), "2.05");
}

// 20 addresses of 20 ports each, more than there may be handshakes; none of which ever shows that
// it is there.
TEST_F(LimitsTest, ClientHellosWithoutACookieLeaveNothingBehind) {
  const auto bee = gateway_.enrol("bee");
  const auto port = static_cast<std::uint16_t>(bee.gateway_port);
  gateway_.start();
  const auto first = connect(bee);
  const Buffer hello = client_hello({});
  const std::size_t before = gateway_.resident_bytes();
  std::size_t cookies = 0;
  std::vector<Source> sources;
  for (std::uint8_t host = 1; host <= 20; ++host) {
    for (int i = 0; i < 20; ++i) sources.emplace_back(1, host, port);
    for (auto each = sources.end() - 20; each != sources.end(); ++each) {
      each->send(hello);
      const Buffer reply = each->receive(10'000);
      EXPECT_LE(reply.size(), hello.size()) << "an amplifier";
      cookies += cookie_of(reply).empty() ? 0 : 1;
    }
  }
  EXPECT_EQ(cookies, sources.size());
  EXPECT_EQ(limit_count("handshakes"), 0U);
  // While they come, a device gets in.
  for (const Source& source : sources) source.send(hello);
  const auto device = connect(bee);
  for (const Source& source : sources) source.send(hello);
  EXPECT_EQ(code_text(device->upload(make_update(fetch_task(*device), bee)).code), "2.04");
  EXPECT_EQ(limit_count("handshakes"), 0U);
  EXPECT_EQ(limit_count("handshakes_refused"), 0U);
  EXPECT_GT(limit_count("cookies"), cookies);
  // The buffers of 400 TLS contexts alone would be 2.3 MiB (MBEDTLS_SSL_IN_CONTENT_LEN and OUT).
  if (!kSanitized) {
    EXPECT_LE(gateway_.resident_bytes(), before + 2 * kMebibyte);
  }
}

TEST_F(LimitsTest, HalfOpenHandshakesOfAnAddressAreFewAndEnd) {
  gateway_.configure("handshakes_per_address", "16");
  gateway_.configure("handshake_timeout_s", "2");
  const auto bee = gateway_.enrol("bee");
  const auto port = static_cast<std::uint16_t>(bee.gateway_port);
  gateway_.start();
  std::vector<Source> sources;
  std::size_t begun = 0;
  for (int i = 0; i < 40; ++i) {
    const Source& source = sources.emplace_back(2, 1, port);
    source.send(client_hello({}));
    const Buffer cookie = cookie_of(source.receive(10'000));
    ASSERT_FALSE(cookie.empty());
    source.send(client_hello(cookie));
    // ServerHello … if it may go on; what is refused gets no answer.
    if (i < 16) begun += source.receive(10'000).empty() ? 0 : 1;
  }
  EXPECT_EQ(begun, 16U);
  EXPECT_EQ(code_text(connect(bee)->get(wire::kRoundPath).code), "2.05");
  EXPECT_GE(limit_count("handshakes_refused"), 1U);
  EXPECT_TRUE(wait_until([&] { return limit_count("handshakes") == 0; }));
  EXPECT_GE(limit_count("handshakes_timed_out"), 16U);
  EXPECT_TRUE(wait_for_record("handshake_refused", "", "kBusy: too many handshakes of this"));
}

TEST_F(LimitsTest, SessionsOfAnAddressAreBounded) {
  gateway_.configure("sessions_per_address", "3");
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<wire::DeviceCredentials> bees;
  for (int i = 0; i < 4; ++i) bees.push_back(gateway_.enrol("bee-" + std::to_string(i)));
  gateway_.start();
  for (int i = 0; i < 3; ++i) clients.push_back(connect(bees[i]));
  EXPECT_FALSE(TestClient(bees[3]).connect(/*limit_s=*/2));
  EXPECT_GE(limit_count("handshakes_refused"), 1U);
  clients.pop_back();
  EXPECT_EQ(code_text(connect(bees[3])->get(wire::kRoundPath).code), "2.05");
}

TEST_F(LimitsTest, TheGatewaySignsItsTimeForOneQuestion) {
  const auto bee = gateway_.enrol("bee");
  gateway_.start();
  const auto key = seal::VerifyingKey::from_bytes(bee.model_signing_key);
  ASSERT_TRUE(key.ok());
  const auto client = connect(bee);
  const auto ask = [&](const Buffer& nonce) {
    return client->request({.method = COAP_REQUEST_CODE_POST,
                            .path = wire::kTimePath,
                            .query = "",
                            .options = {},
                            .payload = nonce});
  };
  for (const std::uint8_t first : {std::uint8_t{1}, std::uint8_t{2}}) {
    const Buffer nonce(wire::kNonceBytes, first);
    const auto before = static_cast<std::uint64_t>(std::time(nullptr));
    const Answer answer = ask(nonce);
    ASSERT_EQ(code_text(answer.code), "2.05");
    const auto time = seal::TimeVerifier::verify(answer.payload, *key);
    ASSERT_TRUE(time.ok()) << to_string(time.status());
    EXPECT_TRUE(std::ranges::equal((*time)->nonce, nonce));
    EXPECT_TRUE(std::ranges::equal((*time)->federation, bee.federation));
    EXPECT_GE((*time)->unix_s, before);
    EXPECT_LE((*time)->unix_s, static_cast<std::uint64_t>(std::time(nullptr)));
  }
  for (const std::size_t length : {0U, 15U, 17U, 500U}) {
    EXPECT_EQ(code_text(ask(Buffer(length, 1)).code), "4.00") << length;
  }

  // A device that asks before anything else.
  const auto samples = gateway_.directory() / "samples.csv";
  demo::write_csv(samples, made_up_digits(20, 1));
  const auto log = gateway_.directory() / "bee.log";
  const process::Process device({SKEP_BIN_DIR "/skep-device", "--check-dates", "--credentials",
                                 gateway_.directory() / "devices/bee.cred", "--samples", samples,
                                 "--flash", gateway_.directory() / "bee.flash"},
                                log);
  EXPECT_TRUE(wait_until([&] {
    const std::string text = process::read_text(log);
    const auto checked = text.find("\"DatesChecked\"");
    return checked != std::string::npos && text.find("\"Connected\"", checked) != std::string::npos;
  })) << process::read_text(log);
}

// Whoever recorded bee's update can make nothing of it, at any later time.
TEST_F(LimitsTest, CapturedUpdatesAreRefusedForEver) {
  const auto bee = gateway_.enrol("bee");
  const auto wasp = gateway_.enrol("wasp");
  gateway_.start();
  const auto received = [&] { return gateway_.operate({"round", "status"}).at("received"); };
  const auto refused = [&](const char* device, const char* code) {
    return gateway_.operate({"device", "status", device}).at("refused").at(code).at("count");
  };
  const auto send = [&](const wire::DeviceCredentials& as, Bytes update) {
    const Answer answer = connect(as)->upload(update);
    return code_text(answer.code) + " " + to_string(answer.problem());
  };
  const Task task = fetch_task(*connect(bee));
  const Buffer stored = make_update(task, bee, 1);
  const Buffer intercepted = make_update(task, wasp, 2);  // on its way to the gateway
  EXPECT_EQ(send(bee, stored), std::string("2.04 ") + to_string(Status::kOk));
  const auto digests = gateway_.stored_updates(task.plan.round);

  const std::string wrong_device = std::string("4.03 ") + to_string(Status::kWrongDevice);
  EXPECT_EQ(send(wasp, stored), wrong_device);
  gateway_.kill();
  gateway_.start();
  EXPECT_EQ(send(wasp, stored), wrong_device);
  EXPECT_EQ(send(bee, stored), std::string("2.04 ") + to_string(Status::kOk));  // a duplicate
  EXPECT_EQ(received(), 1);
  EXPECT_EQ(gateway_.stored_updates(task.plan.round), digests);
  EXPECT_EQ(refused("wasp", "kWrongDevice"), 2);
  EXPECT_TRUE(wait_for_record("update_refused", "wasp", "kWrongDevice"));

  gateway_.finish_round();
  const std::string wrong_round = std::string("4.09 ") + to_string(Status::kWrongRound);
  EXPECT_EQ(send(wasp, intercepted), wrong_round);
  EXPECT_EQ(send(wasp, stored), wrong_device);
  gateway_.kill();
  gateway_.start();
  EXPECT_EQ(send(wasp, intercepted), wrong_round);
  EXPECT_EQ(received(), 0);
  EXPECT_EQ(gateway_.stored_updates(task.plan.round), digests);
  EXPECT_EQ(refused("wasp", "kWrongRound"), 2);
  EXPECT_TRUE(wait_for_record("update_refused", "wasp", "kWrongRound"));
  EXPECT_EQ(gateway_.operate({"device", "status", "bee"}).at("accepted"), 1);
}

}  // namespace
}  // namespace skep::e2e
