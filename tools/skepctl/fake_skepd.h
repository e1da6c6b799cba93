// Answers like a skepd on a Unix domain socket, and remembers what it was asked.
#pragma once

#include <httplib.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace skep::skepctl {

class FakeSkepd {
 public:
  struct Request {
    std::string method;
    std::string target;  ///< Path and query.
    std::string body;
  };

  /// Answers every request with what answer() set.
  explicit FakeSkepd(const std::filesystem::path& socket) {
    const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      requests_.push_back({request.method, request.target, request.body});
      response.status = status_;
      response.set_content(body_, "application/json");
    };
    server_.Get(".*", handler);
    server_.Post(".*", handler);
    server_.set_address_family(AF_UNIX);
    if (!server_.bind_to_port(socket.c_str(), 80)) throw std::runtime_error("cannot bind");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  FakeSkepd(const FakeSkepd&) = delete;
  FakeSkepd& operator=(const FakeSkepd&) = delete;
  ~FakeSkepd() {
    server_.stop();
    thread_.join();
  }

  void answer(int status, const std::string& body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    body_ = body;
  }

  std::vector<Request> take_requests() {
    const std::lock_guard lock(mutex_);
    return std::exchange(requests_, {});
  }

 private:
  httplib::Server server_;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<Request> requests_;
  int status_ = 200;
  std::string body_ = "{}";
};

}  // namespace skep::skepctl
