#include "test_client.h"

#include <arpa/inet.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "skep/wire/resources.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;

constexpr auto kLimit = 60s;
constexpr std::uint32_t kPollMs = 50;
constexpr std::uint8_t kContinue = COAP_RESPONSE_CODE_CONTINUE;
constexpr std::size_t kUploadBlockBytes = 512;

// ECPrivateKey ::= SEQUENCE { 1, OCTET STRING scalar, [0] prime256v1 } (RFC 5915 section 3).
constexpr std::array<std::uint8_t, 7> kDerPrefix = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr std::array<std::uint8_t, 12> kDerSuffix = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                     0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

// Mbed TLS verifies a server only if it was told a name; see sdk/transport/coap/coap_client.cc.
char gateway_sni[] = "skep-gateway";

Buffer copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("libcoap: ") + what);
}

void insert_option(coap_optlist_t** list, std::uint16_t number, Bytes value) {
  require(coap_insert_optlist(list, coap_new_optlist(number, value.size(), value.data())) != 0,
          "option");
}

void insert_text(coap_optlist_t** list, std::uint16_t number, const std::string& text) {
  insert_option(list, number,
                Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void fill(coap_pdu_t* pdu, const Message& message) {
  coap_optlist_t* list = nullptr;
  for (std::size_t begin = 0; begin <= message.path.size();) {
    const std::size_t end = std::min(message.path.find('/', begin), message.path.size());
    insert_text(&list, COAP_OPTION_URI_PATH, message.path.substr(begin, end - begin));
    begin = end + 1;
  }
  if (!message.query.empty()) insert_text(&list, COAP_OPTION_URI_QUERY, message.query);
  for (const Option& option : message.options) insert_option(&list, option.number, option.value);
  const bool added = coap_add_optlist_pdu(pdu, &list) != 0;
  coap_delete_optlist(list);
  require(added, "options");
  if (!message.payload.empty()) {
    require(coap_add_data(pdu, message.payload.size(), message.payload.data()) != 0, "payload");
  }
}

Answer read_answer(const coap_pdu_t* pdu) {
  Answer answer;
  answer.code = static_cast<std::uint8_t>(coap_pdu_get_code(pdu));
  std::size_t length = 0;
  const std::uint8_t* data = nullptr;
  if (coap_get_data(pdu, &length, &data) != 0) answer.payload.assign(data, data + length);
  coap_block_t block{};
  coap_opt_iterator_t iterator;
  if (const coap_opt_t* age = coap_check_option(pdu, COAP_OPTION_MAXAGE, &iterator)) {
    answer.max_age_s = coap_decode_var_bytes(coap_opt_value(age), coap_opt_length(age));
  }
  answer.more_blocks = coap_get_block(pdu, COAP_OPTION_BLOCK2, &block) != 0 && block.m != 0;
  return answer;
}

Message update_block(const Block& block, Bytes data, std::vector<Option> further_options) {
  further_options.push_back(
      number_option(COAP_OPTION_BLOCK1, block.number << 4U | (block.more ? 8U : 0U) | block.szx));
  return {.method = COAP_REQUEST_CODE_POST,
          .path = wire::kUpdatesPath,
          .query = "",
          .options = std::move(further_options),
          .payload = copy_of(data)};
}

std::uint32_t last_block_of(Bytes body) {
  return static_cast<std::uint32_t>((body.size() - 1) / kUploadBlockBytes);
}

}  // namespace

Option number_option(std::uint16_t number, std::uint32_t value) {
  std::array<std::uint8_t, 4> bytes{};
  const unsigned length = coap_encode_var_safe(bytes.data(), bytes.size(), value);
  return {number, copy_of(Bytes(bytes).first(length))};
}

Status Answer::problem() const {
  const auto problem = wire::decode_problem(payload);
  return problem.ok() ? static_cast<Status>(problem->code) : Status::kOk;
}

std::string code_text(std::uint8_t code) {
  if (code == 0) return "none";
  const std::string detail = std::to_string(code & 31U);
  return std::to_string(code >> 5U) + (detail.size() == 1 ? ".0" : ".") + detail;
}

struct TestClient::Callbacks {
  static TestClient& self(coap_session_t* session) {
    return *static_cast<TestClient*>(coap_get_app_data(coap_session_get_context(session)));
  }

  static coap_response_t on_response(coap_session_t* session, const coap_pdu_t* /*sent*/,
                                     const coap_pdu_t* received, coap_mid_t /*id*/) {
    TestClient& client = self(session);
    const coap_bin_const_t token = coap_pdu_get_token(received);
    if (std::ranges::equal(Bytes(token.s, token.length), client.token_)) {
      client.answer_ = read_answer(received);
    }
    return COAP_RESPONSE_OK;
  }

  static void on_nack(coap_session_t* session, const coap_pdu_t* /*sent*/,
                      coap_nack_reason_t reason, coap_mid_t /*id*/) {
    // After an ICMP error libcoap goes on retransmitting: the gateway may be restarting.
    if (reason == COAP_NACK_TLS_FAILED || reason == COAP_NACK_TLS_LAYER_FAILED ||
        reason == COAP_NACK_NOT_DELIVERABLE) {
      self(session).lost_ = true;
    }
  }

  static int on_event(coap_session_t* session, coap_event_t event) {
    if (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR) {
      self(session).lost_ = true;
      self(session).closed_by_gateway_ |= event == COAP_EVENT_DTLS_CLOSED;
    }
    return 0;
  }
};

TestClient::TestClient(const wire::DeviceCredentials& credentials) : credentials_(credentials) {
  auto* end = std::ranges::copy(kDerPrefix, private_key_der_.data()).out;
  end = std::ranges::copy(credentials_.device_private_key, end).out;
  std::ranges::copy(kDerSuffix, end);

  coap_startup();
  coap_set_log_level(COAP_LOG_EMERG);
  context_ = coap_new_context(nullptr);
  require(context_ != nullptr, "context");
  coap_set_app_data(context_, this);
  coap_register_response_handler(context_, &Callbacks::on_response);
  coap_register_nack_handler(context_, &Callbacks::on_nack);
  coap_register_event_handler(context_, &Callbacks::on_event);
}

TestClient::~TestClient() { coap_free_context(context_); }

void TestClient::make_session() {
  coap_address_t address;
  coap_address_init(&address);
  address.size = sizeof(address.addr.sin);
  address.addr.sin.sin_family = AF_INET;
  address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.addr.sin.sin_port = htons(static_cast<std::uint16_t>(credentials_.gateway_port));

  coap_dtls_pki_t pki{};
  pki.version = COAP_DTLS_PKI_SETUP_VERSION;
  pki.verify_peer_cert = 1;
  pki.check_common_ca = 1;
  pki.cert_chain_validation = 1;
  pki.cert_chain_verify_depth = 1;
  pki.client_sni = gateway_sni;
  pki.pki_key.key_type = COAP_PKI_KEY_ASN1;
  coap_pki_key_asn1_t& key = pki.pki_key.key.asn1;
  key.ca_cert = credentials_.ca_certificate.bytes;
  key.ca_cert_len = credentials_.ca_certificate.size;
  key.public_cert = credentials_.device_certificate.bytes;
  key.public_cert_len = credentials_.device_certificate.size;
  key.private_key = private_key_der_.data();
  key.private_key_len = private_key_der_.size();
  key.private_key_type = COAP_ASN1_PKEY_EC;
  session_ = coap_new_client_session_pki(context_, nullptr, &address, COAP_PROTO_DTLS, &pki);
  require(session_ != nullptr, "session");
}

bool TestClient::connect(int limit_s) {
  make_session();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(limit_s);
  while (!lost_ && coap_session_get_state(session_) != COAP_SESSION_STATE_ESTABLISHED) {
    if (std::chrono::steady_clock::now() > limit) return false;
    poll(kPollMs);
  }
  return !lost_;
}

void TestClient::poll(std::uint32_t timeout_ms) { coap_io_process(context_, timeout_ms); }

void TestClient::send(const Message& message) {
  answer_.reset();
  coap_pdu_t* pdu = coap_new_pdu(COAP_MESSAGE_CON, message.method, session_);
  require(pdu != nullptr, "PDU");
  std::array<std::uint8_t, 8> token{};
  std::size_t length = 0;
  coap_session_new_token(session_, &length, token.data());
  token_ = copy_of(Bytes(token).first(length));
  require(coap_add_token(pdu, token_.size(), token_.data()) != 0, "token");
  fill(pdu, message);
  if (coap_send(session_, pdu) == COAP_INVALID_MID) lost_ = true;
}

Answer TestClient::wait() {
  const auto limit = std::chrono::steady_clock::now() + kLimit;
  while (!answer_ && !lost_ && std::chrono::steady_clock::now() < limit) poll(kPollMs);
  return answer_.value_or(Answer{});
}

Answer TestClient::request(const Message& message) {
  if (lost_) return {};
  send(message);
  return wait();
}

Answer TestClient::get(const std::string& path, const std::string& query) {
  return request({.path = path, .query = query, .options = {}, .payload = {}});
}

Answer TestClient::post_update(Bytes body) {
  return request({.method = COAP_REQUEST_CODE_POST,
                  .path = wire::kUpdatesPath,
                  .query = "",
                  .options = {},
                  .payload = copy_of(body)});
}

Answer TestClient::post_block(const Block& block, Bytes data, std::vector<Option> further_options) {
  return request(update_block(block, data, std::move(further_options)));
}

bool TestClient::upload_but_last_block(Bytes body) {
  for (std::uint32_t i = 0; i < last_block_of(body); ++i) {
    const Answer answer = post_block({.number = i, .more = true},
                                     body.subspan(i * kUploadBlockBytes, kUploadBlockBytes));
    if (answer.code != kContinue) return false;
  }
  return true;
}

void TestClient::send_last_block(Bytes body) {
  const std::uint32_t last = last_block_of(body);
  send(update_block({.number = last}, body.subspan(last * kUploadBlockBytes), {}));
}

Answer TestClient::upload(Bytes body) {
  if (!upload_but_last_block(body)) return answer_.value_or(Answer{});
  send_last_block(body);
  return wait();
}

void TestClient::send_record(Bytes datagram) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  auto* tls = static_cast<mbedtls_ssl_context*>(coap_session_get_tls(session_, &library));
  require(tls != nullptr && library == COAP_TLS_LIBRARY_MBEDTLS, "TLS session");
  require(
      mbedtls_ssl_write(tls, datagram.data(), datagram.size()) == static_cast<int>(datagram.size()),
      "record");
}

UdpSender::UdpSender(std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::system_error(errno, std::generic_category(), "UDP socket");
  }
}

UdpSender::~UdpSender() { ::close(fd_); }

void UdpSender::send(Bytes datagram) {
  if (::send(fd_, datagram.data(), datagram.size(), 0) != static_cast<ssize_t>(datagram.size())) {
    throw std::system_error(errno, std::generic_category(), "send a datagram");
  }
}

std::size_t UdpSender::received_bytes() {
  std::array<std::uint8_t, 2048> datagram{};
  std::size_t total = 0;
  for (;;) {
    const ssize_t length = ::recv(fd_, datagram.data(), datagram.size(), 0);
    if (length < 0) return total;
    total += static_cast<std::size_t>(length);
  }
}

}  // namespace skep::e2e
