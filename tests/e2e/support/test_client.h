// A device that does what it wants: every option and every block by hand, nothing checked.
#pragma once

#include <coap3/coap.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "skep/bytes.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::e2e {

using Buffer = std::vector<std::uint8_t>;

struct Option {
  std::uint16_t number = 0;
  Buffer value;
};

/// The value of an option that is a number: big endian, without leading zeros.
Option number_option(std::uint16_t number, std::uint32_t value);

struct Message {
  coap_pdu_code_t method = COAP_REQUEST_CODE_GET;
  std::string path;
  std::string query;            ///< Empty: none.
  std::vector<Option> options;  ///< Besides path and query, in any order.
  Buffer payload;
};

struct Answer {
  std::uint8_t code = 0;  ///< 0: none came, or the session ended.
  bool more_blocks = false;
  std::uint32_t max_age_s = 0;  ///< 0: there is none.
  Buffer payload;

  /// What a Problem says; kOk if the payload is none.
  [[nodiscard]] Status problem() const;
};

/// "4.13"; "none" for 0.
std::string code_text(std::uint8_t code);

/// One block of an upload. `szx`: a block has 2^(szx + 4) bytes.
struct Block {
  std::uint32_t number = 0;
  bool more = false;
  unsigned szx = 5;
};

/// One DTLS session, one request at a time. libcoap is told nothing of block-wise transfers.
///
/// All clients belong to one thread. Waits are bounded by a minute, after which there is no
/// answer. Throws std::runtime_error if libcoap cannot do as it is told.
class TestClient {
 public:
  explicit TestClient(const wire::DeviceCredentials& credentials);
  /// Ends the session with a close_notify.
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  /// False if the handshake failed, or is not finished after `limit_s` seconds.
  bool connect(int limit_s = 60);
  [[nodiscard]] bool is_lost() const { return lost_; }
  /// By an alert, of the handshake or later.
  [[nodiscard]] bool was_closed_by_gateway() const { return closed_by_gateway_; }

  Answer request(const Message& message);
  Answer get(const std::string& path, const std::string& query = "");
  /// Without Block1.
  Answer post_update(Bytes body);
  Answer post_block(const Block& block, Bytes data, std::vector<Option> further_options = {});
  /// In blocks of 512 bytes, until the gateway says something else than 2.31.
  Answer upload(Bytes body);
  /// All blocks but the last, which is for send_last_block(). False if the gateway refuses one.
  bool upload_but_last_block(Bytes body);
  void send_last_block(Bytes body);

  /// Sends without waiting; answer() tells if there is one after poll().
  void send(const Message& message);
  void poll(std::uint32_t timeout_ms);
  [[nodiscard]] const std::optional<Answer>& answer() const { return answer_; }

  /// These bytes as one DTLS record, CoAP or not.
  void send_record(Bytes datagram);

 private:
  struct Callbacks;
  static constexpr std::size_t kPrivateKeyDerBytes = 51;

  Answer wait();
  void make_session();

  wire::DeviceCredentials credentials_;
  std::array<std::uint8_t, kPrivateKeyDerBytes> private_key_der_{};
  coap_context_t* context_ = nullptr;
  coap_session_t* session_ = nullptr;
  bool lost_ = false;
  bool closed_by_gateway_ = false;
  Buffer token_;
  std::optional<Answer> answer_;
};

/// Without DTLS.
class UdpSender {
 public:
  explicit UdpSender(std::uint16_t port);
  ~UdpSender();
  UdpSender(const UdpSender&) = delete;
  UdpSender& operator=(const UdpSender&) = delete;

  void send(Bytes datagram);
  /// Total length of all datagrams that have arrived by now.
  std::size_t received_bytes();

 private:
  int fd_ = -1;
};

}  // namespace skep::e2e
