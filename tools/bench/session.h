// A device's session with the gateway, driven by hand: what a benchmark wants to time one by one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "skep/bytes.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/codec.h"

namespace skep::bench {

using Buffer = std::vector<std::uint8_t>;

/// Where skepd, or something before it, listens on 127.0.0.1.
using LoopbackPort = std::uint16_t;

/// One DTLS session of one device; one request at a time. All sessions belong to one thread.
class Session final : public transport::ResponseHandler {
 public:
  /// `credentials` outlive the session.
  Session(const wire::DeviceCredentials& credentials, LoopbackPort port);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// All three start something and return. Throw std::runtime_error if that is refused at once.
  void open();
  /// Observes when asked to, as a device observes the round.
  void get(const char* path, const char* query, bool observe);
  /// `body` outlives the answer.
  void post(const char* path, Bytes body);

  /// Throws std::runtime_error if the handshake failed.
  [[nodiscard]] bool is_established() const;
  /// Throws std::runtime_error if the request failed or was answered by an error.
  [[nodiscard]] bool is_answered() const;
  /// Of the last answered request.
  [[nodiscard]] const Buffer& body() const { return body_; }

  void poll() { client_.poll(); }
  /// Retransmits what is due; the descriptor then tells when the next one is.
  void tend() { (void)client_.next_timeout_ms(); }
  [[nodiscard]] int wait_fd() const { return client_.wait_fd(); }

  void on_response(transport::RequestId id, const transport::Response& response) override;
  void on_failure(transport::RequestId id, Status status) override;

 private:
  void send(const transport::Request& request);

  transport::CoapClient client_;
  Buffer body_;
  std::uint8_t code_ = 0;
  bool answered_ = false;
  Status failure_ = Status::kOk;
};

using Sessions = std::vector<std::unique_ptr<Session>>;

/// Something besides the sessions that wants to be called when one of its descriptors is readable.
struct Helper {
  std::vector<int> descriptors;
  std::function<void()> poll;
};

/// Lets sessions and helper work until `is_done`. Throws std::runtime_error after a minute, and
/// what `is_done` throws.
void drive(std::span<const std::unique_ptr<Session>> sessions, const std::function<bool()>& is_done,
           const Helper& helper = {});

}  // namespace skep::bench
