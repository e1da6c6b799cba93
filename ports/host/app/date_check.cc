#include "date_check.h"

#include <poll.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "skep/core/record_log.h"
#include "skep/round/device_log.h"
#include "skep/round/trusted_time.h"
#include "skep/seal/crypto.h"
#include "skep/transport_coap/certificate_dates.h"
#include "skep/wire/resources.h"

namespace skep::host_app {
namespace {

constexpr transport::RequestId kTimeRequest = 0;

void require(Status status, const std::string& what) {
  if (status != Status::kOk) throw std::runtime_error(what + ": " + to_string(status));
}

// What came of one question.
class Question final : public transport::ResponseHandler {
 public:
  explicit Question(Clock& clock) : clock_(clock), begin_ms_(clock.now_ms()) {}

  void on_response(transport::RequestId /*id*/, const transport::Response& response) override {
    if (response.code == transport::kContent) {
      answer_.assign(response.payload.begin(), response.payload.end());
    } else {
      retry_after_ms_ = std::min(response.max_age_s, 3'600U) * 1'000U;
    }
    over_ = true;
  }
  void on_failure(transport::RequestId /*id*/, Status /*status*/) override { over_ = true; }

  /// An answer that comes later would not be taken.
  [[nodiscard]] bool is_over() const {
    return over_ || clock_.now_ms() - begin_ms_ > round::TrustedTime::kLongestAnswerMs;
  }
  [[nodiscard]] Bytes answer() const { return answer_; }
  [[nodiscard]] std::uint32_t retry_after_ms() const { return retry_after_ms_; }

 private:
  Clock& clock_;
  std::uint64_t begin_ms_;
  bool over_ = false;
  std::vector<std::uint8_t> answer_;
  std::uint32_t retry_after_ms_ = 0;
};

// Lets the client work, for at most a second so that `stop` is asked in between.
void work(transport::CoapClient& client) {
  pollfd readable{.fd = client.wait_fd(), .events = POLLIN, .revents = 0};
  ::poll(&readable, 1, static_cast<int>(std::min(client.next_timeout_ms(), 1'000U)));
  client.poll();
}

void ask(transport::CoapClient& client, Question& question, Bytes nonce,
         const std::function<bool()>& stop) {
  if (client.open(question) != Status::kOk) return;
  while (!stop() && client.state() == transport::SessionState::kHandshaking) work(client);
  const transport::Request request{
      .method = transport::Method::kPost, .path = wire::kTimePath, .body = nonce};
  if (client.send(kTimeRequest, request) != Status::kOk) return;
  while (!stop() && !question.is_over()) work(client);
}

void wait(std::uint32_t ms, const std::function<bool()>& stop) {
  for (; ms != 0 && !stop(); ms -= std::min(ms, 100U)) {
    ::poll(nullptr, 0, static_cast<int>(std::min(ms, 100U)));
  }
}

void check_all(const wire::DeviceCredentials& credentials, Bytes gateway_certificate,
               std::uint64_t now_unix_s) {
  const auto check = [&](const char* whose, Bytes certificate) {
    require(transport::check_certificate_dates(certificate, now_unix_s),
            std::string("the certificate of the ") + whose + " at the gateway's time " +
                std::to_string(now_unix_s));
  };
  check("gateway", gateway_certificate);
  check("CA", wire::bytes_of(credentials.ca_certificate));
  check("device", wire::bytes_of(credentials.device_certificate));
}

round::TrustedTime make_time(const DeviceConfig& config, const Platform& platform, RecordLog& log) {
  const auto key = seal::VerifyingKey::from_bytes(config.credentials.model_signing_key);
  require(key.status(), "the credentials' key");
  round::TrustedTime::Federation federation{};
  std::ranges::copy(config.credentials.federation, federation.begin());
  return {platform.clock, platform.entropy, log, *key, federation};
}

}  // namespace

std::uint64_t check_dates(const DeviceConfig& config, const Platform& platform,
                          transport::CoapClient& client, const std::function<bool()>& stop) {
  require(seal::initialize_crypto(), "cryptography");
  RecordLog log(platform.storage);
  require(round::open_device_log(log, platform.storage, config.max_package_bytes,
                                 config.max_update_bytes),
          "the log in flash");
  round::TrustedTime time = make_time(config, platform, log);
  require(time.open(), "the floor of time in flash");
  round::Backoff backoff(config.backoff, platform.entropy);
  while (!stop()) {
    const Result<Bytes> nonce = time.ask();
    require(nonce.status(), "a nonce");
    Question question(platform.clock);
    ask(client, question, *nonce, stop);
    const Status status = time.accept(question.answer());
    if (status == Status::kOk) {
      const std::uint64_t now_unix_s = *time.now_unix_s();
      check_all(config.credentials, client.peer_certificate(), now_unix_s);
      client.close();
      return now_unix_s;
    }
    client.close();
    if (status == Status::kStorageFailed) require(status, "the floor of time in flash");
    wait(std::max(backoff.next_ms(), question.retry_after_ms()), stop);
  }
  return 0;
}

}  // namespace skep::host_app
