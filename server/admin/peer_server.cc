#include "peer_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace skep::admin {
namespace {

constexpr const char* kPeerUidHeader = "Skep-Peer-Uid";

class UnixStream final : public httplib::Stream {
 public:
  UnixStream(int fd, time_t timeout_s) : fd_(fd), timeout_ms_(static_cast<int>(timeout_s * 1000)) {}

  bool is_readable() const override { return wait(POLLIN); }
  bool is_writable() const override { return wait(POLLOUT); }
  ssize_t read(char* out, size_t size) override {
    return is_readable() ? ::recv(fd_, out, size, 0) : -1;
  }
  ssize_t write(const char* bytes, size_t size) override {
    return is_writable() ? ::send(fd_, bytes, size, MSG_NOSIGNAL) : -1;
  }
  // A Unix socket has neither.
  void get_remote_ip_and_port(std::string& ip, int& port) const override { clear(ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { clear(ip, port); }
  socket_t socket() const override { return fd_; }

 private:
  [[nodiscard]] bool wait(short events) const {
    pollfd descriptor{.fd = fd_, .events = events, .revents = 0};
    return ::poll(&descriptor, 1, timeout_ms_) == 1;
  }
  static void clear(std::string& ip, int& port) {
    ip.clear();
    port = 0;
  }

  int fd_;
  int timeout_ms_;
};

}  // namespace

bool PeerServer::process_and_close_socket(socket_t socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool is_known = ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  UnixStream stream(socket, timeout_s_);
  bool closed = false;
  const bool served =
      process_request(stream, /*close_connection=*/true, closed, [&](httplib::Request& request) {
        request.headers.erase(kPeerUidHeader);
        if (is_known) request.headers.emplace(kPeerUidHeader, std::to_string(peer.uid));
      });
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
  return served;
}

std::uint32_t PeerServer::peer_uid(const httplib::Request& request) {
  if (!request.has_header(kPeerUidHeader)) {
    throw std::runtime_error("the kernel does not tell who is at the admin socket");
  }
  return static_cast<std::uint32_t>(std::stoul(request.get_header_value(kPeerUidHeader)));
}

}  // namespace skep::admin
