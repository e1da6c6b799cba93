#include "session.h"

#include <poll.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>

#include "skep/checked/take.h"

namespace skep::bench {
namespace {

using checked::require;
using namespace std::chrono_literals;

constexpr std::array<std::uint8_t, 4> kLoopback{127, 0, 0, 1};
constexpr transport::RequestId kObservation = 0;
constexpr transport::RequestId kOther = 1;
constexpr auto kLimit = 60s;
constexpr int kTendEveryMs = 100;

}  // namespace

Session::Session(const wire::DeviceCredentials& credentials, LoopbackPort port)
    : client_({.gateway_ip = kLoopback,
               .gateway_port = port,
               .ca_certificate = wire::bytes_of(credentials.ca_certificate),
               .device_certificate = wire::bytes_of(credentials.device_certificate),
               .device_private_key = Bytes(credentials.device_private_key)},
              {}) {}

void Session::open() { require(client_.open(*this), "open a session"); }

void Session::get(const char* path, const char* query, bool observe) {
  send({.path = path, .query = query, .observe = observe});
}

void Session::post(const char* path, Bytes body) {
  send({.method = transport::Method::kPost, .path = path, .body = body});
}

void Session::send(const transport::Request& request) {
  answered_ = false;
  body_.clear();
  require(client_.send(request.observe ? kObservation : kOther, request), "send a request");
}

bool Session::is_established() const {
  if (client_.state() == transport::SessionState::kClosed) {
    throw std::runtime_error("a DTLS handshake failed; see skepd.log");
  }
  return client_.state() == transport::SessionState::kEstablished;
}

bool Session::is_answered() const {
  require(failure_, "a request failed");
  if (answered_ && !transport::is_success(code_)) {
    throw std::runtime_error("a request was answered by " + std::to_string(code_ >> 5U) + "." +
                             std::to_string(code_ & 31U));
  }
  return answered_;
}

void Session::on_response(transport::RequestId, const transport::Response& response) {
  body_.insert(body_.end(), response.payload.begin(), response.payload.end());
  code_ = response.code;
  answered_ = response.last;
}

void Session::on_failure(transport::RequestId, Status status) { failure_ = status; }

void drive(std::span<const std::unique_ptr<Session>> sessions, const std::function<bool()>& is_done,
           const Helper& helper) {
  const auto limit = std::chrono::steady_clock::now() + kLimit;
  auto tend_at = std::chrono::steady_clock::now();
  std::vector<pollfd> ready;
  while (!is_done()) {
    const auto now = std::chrono::steady_clock::now();
    if (now > limit) throw std::runtime_error("no progress within a minute");
    if (now >= tend_at) {
      for (const auto& session : sessions) session->tend();
      tend_at = now + std::chrono::milliseconds(kTendEveryMs);
    }
    ready.clear();
    for (const auto& session : sessions) ready.push_back({session->wait_fd(), POLLIN, 0});
    for (const int descriptor : helper.descriptors) ready.push_back({descriptor, POLLIN, 0});
    if (::poll(ready.data(), ready.size(), kTendEveryMs) <= 0) continue;
    if (helper.poll) helper.poll();
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      if (ready[i].revents != 0) sessions[i]->poll();
    }
  }
}

}  // namespace skep::bench
