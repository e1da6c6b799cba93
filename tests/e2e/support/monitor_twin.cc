#include "monitor_twin.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>

#include "host_platform.h"

namespace skep::e2e {
namespace {

constexpr std::size_t kWorkspaceBytes = 64 * 1024;
constexpr auto kPatience = std::chrono::minutes(1);
constexpr std::uint32_t kRefreshMs = 200;
constexpr int kLongestSleepMs = 50;

}  // namespace

MonitorTwin::Ram::Ram(MonitorTwin& twin)
    : client(endpoint_of(twin.credentials_, twin.gateway_ip_), {}),
      workspace(kWorkspaceBytes / sizeof(std::uint64_t)),
      device({.credentials = twin.credentials_,
              .training_seed = twin.training_seed_,
              .samples_per_poll = 64,
              .refresh_ms = kRefreshMs,
              .backoff = {.first_ms = 50, .longest_ms = 400},
              .observer = &watch.observer()},
             {system_clock(), system_entropy(), twin.flash_, watch.buffer()}, client,
             std::as_writable_bytes(std::span(workspace)), &twin.events_) {}

MonitorTwin::MonitorTwin(const wire::DeviceCredentials& credentials, std::uint32_t training_seed)
    : credentials_(credentials),
      gateway_ip_(gateway_ip_of(credentials_)),
      training_seed_(training_seed),
      flash_({.size_bytes = 64 * 1024, .erase_unit_bytes = 4096, .program_unit_bytes = 8}) {
  start();
}

MonitorTwin::~MonitorTwin() { ram_->client.close(); }

void MonitorTwin::start() {
  ram_ = std::make_unique<Ram>(*this);
  if (const Status status = ram_->device.start(); status != Status::kOk) {
    throw std::runtime_error(std::string("the twin cannot start: ") + to_string(status));
  }
}

void MonitorTwin::reset() {
  ram_->client.close();
  ram_.reset();
  start();
}

bool MonitorTwin::run_until(const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    const std::uint32_t wait_ms = ram_->device.poll();
    pollfd readable{.fd = ram_->client.wait_fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, static_cast<int>(std::min<std::uint32_t>(wait_ms, kLongestSleepMs)));
  }
  return true;
}

Result<observe::Observation> MonitorTwin::observe(std::int32_t reading) {
  return ram_->device.observe(std::span(&reading, 1), 0);
}

std::vector<round::Event> MonitorTwin::events(round::EventKind kind) const {
  std::vector<round::Event> found;
  std::ranges::copy_if(events_.list, std::back_inserter(found),
                       [&](const round::Event& event) { return event.kind == kind; });
  return found;
}

}  // namespace skep::e2e
