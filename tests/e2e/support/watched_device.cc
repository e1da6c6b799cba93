#include "watched_device.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include "host_platform.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/patch_reader.h"
#include "skep/wire/resources.h"

namespace skep::e2e {
namespace {

constexpr std::size_t kWorkspaceBytes = 64 * 1024;
constexpr auto kPatience = std::chrono::minutes(1);

std::vector<round_testing::Sample> to_samples(const std::vector<learn_testing::Sample>& digits) {
  std::vector<round_testing::Sample> samples;
  samples.reserve(digits.size());
  for (const learn_testing::Sample& digit : digits) {
    samples.push_back({{digit.features.begin(), digit.features.end()}, digit.label});
  }
  return samples;
}

}  // namespace

struct WatchedDevice::Events final : round::EventSink {
  void on_event(const round::Event& event) override { list.push_back(event); }
  std::vector<round::Event> list;
};

// Stands between the Device and libcoap.
class WatchedDevice::Client final : public transport::Client, private transport::ResponseHandler {
 public:
  explicit Client(const transport::CoapEndpoint& endpoint) : inner_(endpoint, {}) {}

  Status open(transport::ResponseHandler& handler) override {
    handler_ = &handler;
    return inner_.open(*this);
  }
  void close() override { inner_.close(); }
  [[nodiscard]] transport::SessionState state() const override { return inner_.state(); }
  Status send(transport::RequestId id, const transport::Request& request) override {
    if (request.path == std::string(wire::kModelPath)) model_request_ = id;
    return inner_.send(id, request);
  }
  void cancel(transport::RequestId id) override { inner_.cancel(id); }
  void poll() override { inner_.poll(); }
  [[nodiscard]] std::uint32_t next_timeout_ms() override { return inner_.next_timeout_ms(); }
  [[nodiscard]] int wait_fd() const { return inner_.wait_fd(); }

  std::vector<Buffer> downloads;
  std::optional<std::pair<std::uint32_t, unsigned>> flip;  // byte and bit

 private:
  void on_response(transport::RequestId id, const transport::Response& response) override {
    if (id != model_request_ || response.code != transport::kContent) {
      handler_->on_response(id, response);
      return;
    }
    if (response.offset == 0) body_.clear();
    Buffer block(response.payload.begin(), response.payload.end());
    body_.insert(body_.end(), block.begin(), block.end());
    if (response.last) downloads.push_back(body_);
    const bool is_hit = flip && body_[0] == wire::kModelPatchFirstByte &&
                        flip->first >= response.offset &&
                        flip->first - response.offset < block.size();
    if (is_hit) {
      std::uint8_t& byte = block[flip->first - response.offset];
      byte = static_cast<std::uint8_t>(byte ^ 1U << flip->second);
      flip.reset();
    }
    transport::Response changed = response;
    changed.payload = block;
    handler_->on_response(id, changed);
  }
  void on_failure(transport::RequestId id, Status status) override {
    handler_->on_failure(id, status);
  }

  transport::CoapClient inner_;
  transport::ResponseHandler* handler_ = nullptr;
  std::optional<transport::RequestId> model_request_;
  Buffer body_;
};

WatchedDevice::WatchedDevice(const wire::DeviceCredentials& credentials,
                             const std::vector<learn_testing::Sample>& digits,
                             std::uint32_t training_seed)
    : credentials_(credentials),
      gateway_ip_(gateway_ip_of(credentials_)),
      flash_({.size_bytes = 64 * 1024, .erase_unit_bytes = 4096, .program_unit_bytes = 8}),
      samples_(to_samples(digits)),
      events_(std::make_unique<Events>()),
      client_(std::make_unique<Client>(endpoint_of(credentials_, gateway_ip_))),
      workspace_(kWorkspaceBytes / sizeof(std::uint64_t)) {
  device_ = std::make_unique<Device>(DeviceConfig{.credentials = credentials_,
                                                  .training_seed = training_seed,
                                                  .samples_per_poll = 64,
                                                  .backoff = {.first_ms = 50, .longest_ms = 400}},
                                     Platform{system_clock(), system_entropy(), flash_, samples_},
                                     *client_, std::as_writable_bytes(std::span(workspace_)),
                                     events_.get());
  if (const Status status = device_->start(); status != Status::kOk) {
    throw std::runtime_error(std::string("the device cannot start: ") + to_string(status));
  }
}

WatchedDevice::~WatchedDevice() { client_->close(); }

bool WatchedDevice::run_until(const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    const std::uint32_t wait_ms = device_->poll();
    pollfd readable{.fd = client_->wait_fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, static_cast<int>(std::min<std::uint32_t>(wait_ms, 100)));
  }
  return true;
}

bool WatchedDevice::run_until_update_on(std::uint32_t model_version) {
  return run_until([&] {
    return std::ranges::any_of(events_->list, [&](const round::Event& event) {
      return event.kind == round::EventKind::kUpdateAccepted &&
             event.model_version == model_version;
    });
  });
}

std::uint32_t WatchedDevice::model_version() const { return device_->model_version(); }

std::size_t WatchedDevice::count(round::EventKind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events_->list, kind, &round::Event::kind));
}

Status WatchedDevice::last_status(round::EventKind kind) const {
  const auto last =
      std::ranges::find(events_->list.rbegin(), events_->list.rend(), kind, &round::Event::kind);
  return last == events_->list.rend() ? Status::kOk : last->status;
}

const std::vector<Buffer>& WatchedDevice::downloads() const { return client_->downloads; }

void WatchedDevice::flip_bit_of_next_patch(std::uint32_t byte, unsigned bit) {
  client_->flip.emplace(byte, bit);
}

}  // namespace skep::e2e
