#include "lossy_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

namespace skep::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using Datagram = std::vector<std::uint8_t>;

constexpr int kTickMs = 5;
constexpr std::size_t kMaxDatagramBytes = 65536;

void require(bool ok, const char* what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    require(fd_ >= 0, "UDP socket");
  }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

class LossyRelay::Worker {
 public:
  Worker(std::uint16_t server_port, const Impairment& impairment, std::uint32_t seed)
      : server_(loopback(server_port)), impairment_(impairment), random_(seed) {
    sockaddr_in own = loopback(0);
    socklen_t length = sizeof(own);
    auto* generic = reinterpret_cast<sockaddr*>(&own);
    require(::bind(front_.fd(), generic, length) == 0, "bind the relay");
    require(::getsockname(front_.fd(), generic, &length) == 0, "the relay's port");
    port_ = ntohs(own.sin_port);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const RelayCounters& counters() const { return counters_; }

  void turn() {
    std::vector<pollfd> readable{{.fd = front_.fd(), .events = POLLIN, .revents = 0}};
    for (const auto& [client, back] : backs_) {
      readable.push_back({.fd = back.fd(), .events = POLLIN, .revents = 0});
    }
    ::poll(readable.data(), readable.size(), kTickMs);
    hear_clients();
    for (const auto& [client, back] : backs_) hear_server(client, back);
    deliver();
  }

 private:
  using Port = std::uint16_t;  // of a client: all are on loopback

  // Where a datagram goes: to the server through the client's own socket, or to the client.
  struct Parcel {
    Port client;
    bool to_server;
    std::uint64_t number;
    Datagram content;
  };

  void hear_clients() {
    sockaddr_in sender{};
    socklen_t length = sizeof(sender);
    for (;;) {
      const ssize_t size = ::recvfrom(front_.fd(), buffer_.data(), buffer_.size(), 0,
                                      reinterpret_cast<sockaddr*>(&sender), &length);
      if (size < 0) return;
      const Port client = ntohs(sender.sin_port);
      if (!backs_.contains(client)) {
        const auto& back = backs_.try_emplace(client).first->second;
        require(
            ::connect(back.fd(), reinterpret_cast<const sockaddr*>(&server_), sizeof(server_)) == 0,
            "connect the relay to the server");
      }
      accept(client, true, static_cast<std::size_t>(size));
    }
  }

  void hear_server(Port client, const Socket& back) {
    for (;;) {
      const ssize_t size = ::recv(back.fd(), buffer_.data(), buffer_.size(), 0);
      if (size < 0) return;  // nothing more, or the server is away: as with a real network
      accept(client, false, static_cast<std::size_t>(size));
    }
  }

  [[nodiscard]] bool happens(double probability) {
    return std::uniform_real_distribution<>(0.0, 1.0)(random_) < probability;
  }

  void accept(Port client, bool to_server, std::size_t size) {
    const std::uint64_t number = ++heard_;
    if (happens(impairment_.loss)) {
      ++counters_.lost;
      return;
    }
    const int copies = happens(impairment_.duplication) ? 2 : 1;
    counters_.duplicated += copies == 2 ? 1 : 0;
    for (int copy = 0; copy < copies; ++copy) {
      const std::chrono::milliseconds delay(
          happens(impairment_.delay) ? random_() % (impairment_.longest_delay_ms + 1) : 0);
      under_way_.emplace(
          Clock::now() + delay,
          Parcel{client, to_server, number,
                 Datagram(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size))});
    }
  }

  void deliver() {
    const auto now = Clock::now();
    while (!under_way_.empty() && under_way_.begin()->first <= now) {
      const Parcel parcel = std::move(under_way_.extract(under_way_.begin()).mapped());
      ++counters_.forwarded;
      std::uint64_t& newest = newest_delivered_[{parcel.client, parcel.to_server}];
      counters_.overtaken += parcel.number < newest ? 1 : 0;
      newest = std::max(newest, parcel.number);
      send(parcel);
    }
  }

  // A datagram that cannot be sent (nobody listens any more) is lost.
  void send(const Parcel& parcel) {
    if (parcel.to_server) {
      (void)::send(backs_.at(parcel.client).fd(), parcel.content.data(), parcel.content.size(), 0);
      return;
    }
    const sockaddr_in client = loopback(parcel.client);
    (void)::sendto(front_.fd(), parcel.content.data(), parcel.content.size(), 0,
                   reinterpret_cast<const sockaddr*>(&client), sizeof(client));
  }

  sockaddr_in server_;
  Impairment impairment_;
  std::mt19937 random_;
  Socket front_;  // what clients send to
  Port port_ = 0;
  std::map<Port, Socket> backs_;  // one towards the server for each client
  std::multimap<Clock::time_point, Parcel> under_way_;
  std::map<std::pair<Port, bool>, std::uint64_t> newest_delivered_;
  std::uint64_t heard_ = 0;
  RelayCounters counters_;
  std::array<std::uint8_t, kMaxDatagramBytes> buffer_{};
};

LossyRelay::LossyRelay(std::uint16_t server_port, const Impairment& impairment, std::uint32_t seed)
    : worker_(std::make_unique<Worker>(server_port, impairment, seed)), thread_([this] {
        try {
          while (!stopping_) worker_->turn();
        } catch (...) {
          failure_ = std::current_exception();
        }
      }) {}

LossyRelay::~LossyRelay() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::uint16_t LossyRelay::port() const { return worker_->port(); }

RelayCounters LossyRelay::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (failure_) std::rethrow_exception(failure_);
  return worker_->counters();
}

}  // namespace skep::e2e
