#include "skep/admin/admin_server.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>

#include "handlers.h"
#include "peer_server.h"
#include "skep/audit/operator.h"
#include "skep/config.h"
#include "skep/coordinator/error.h"

namespace skep::admin {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kMaxBodyBytes = kMaxPackageBytes + 4096;
constexpr time_t kReadTimeoutS = 10;
constexpr int kIgnoredPort = 80;  // httplib wants one for Unix sockets too

int http_status(Status status) {
  switch (status) {
    case Status::kNotFound:
      return 404;
    case Status::kTooLarge:
      return 413;
    case Status::kWrongRound:
    case Status::kStaleVersion:
    case Status::kAlreadyAnswered:
    case Status::kRejected:
      return 409;
    case Status::kBusy:
      return 503;
    case Status::kStorageFailed:
    case Status::kNoMemory:
    case Status::kNoEntropy:
    case Status::kCryptoFailed:
    case Status::kInternal:
      return 500;
    default:
      return 400;
  }
}

void answer(httplib::Response& response, int code, const Json& json) {
  response.status = code;
  // A request's bytes may come back in a message, and need not be UTF-8.
  response.set_content(json.dump(-1, ' ', false, Json::error_handler_t::replace),
                       "application/json");
}

void answer_error(httplib::Response& response, int code, Status status, const std::string& detail) {
  answer(response, code,
         Json{{"error", {{"code", std::string("k") + to_string(status)}, {"detail", detail}}}});
}

template <typename Request>
void serve(httplib::Response& response, Request request) {
  try {
    answer(response, 200, request());
  } catch (const RequestError& error) {
    answer_error(response, http_status(error.status()), error.status(), error.what());
  } catch (const coordinator::CoordinatorError& error) {
    answer_error(response, http_status(error.status()), error.status(), error.what());
  } catch (const std::exception& error) {
    spdlog::error("an admin request failed: {}", error.what());
    answer_error(response, 500, Status::kInternal, error.what());
  }
}

sockaddr_un to_address(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = socket.string();
  if (name.size() >= sizeof(address.sun_path)) {
    throw AdminError("the path of the admin socket " + name + " has " +
                     std::to_string(name.size()) + " characters: at most " +
                     std::to_string(sizeof(address.sun_path) - 1) + " are possible");
  }
  std::memcpy(address.sun_path, name.c_str(), name.size());
  return address;
}

// A socket that nobody listens on was left by a daemon that was killed.
void remove_stale_socket(const std::filesystem::path& socket) {
  const sockaddr_un address = to_address(socket);
  struct stat info {};
  if (::lstat(socket.c_str(), &info) != 0) return;
  if (!S_ISSOCK(info.st_mode)) {
    throw AdminError(socket.string() + " is in the way: it is not a socket");
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answered =
      fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  if (fd >= 0) ::close(fd);
  if (answered) throw AdminError("another skepd is running: it listens on " + socket.string());
  ::unlink(socket.c_str());
}

audit::Actor actor_of(const httplib::Request& request) {
  return audit::operator_of(PeerServer::peer_uid(request), "admin socket");
}

}  // namespace

class AdminServer::Engine {
 public:
  Engine(const std::filesystem::path& socket, const Gateway& gateway)
      : socket_(socket), handlers_(gateway) {
    remove_stale_socket(socket_);
    set_limits();
    add_routes();
    // Created with mode 0600: there is no moment at which others could connect.
    const mode_t old_mask = ::umask(0177);
    const bool bound =
        server_.set_address_family(AF_UNIX).bind_to_port(socket_.c_str(), kIgnoredPort);
    const int error = errno;
    ::umask(old_mask);
    if (!bound) {
      throw AdminError("cannot listen on " + socket_.string() + ": " + std::strerror(error));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }

  ~Engine() {
    // stop() is lost on a server that does not run yet.
    while (!server_.is_running() && thread_.joinable()) std::this_thread::yield();
    server_.stop();
    thread_.join();
    ::unlink(socket_.c_str());
  }

 private:
  void set_limits() {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(kMaxBodyBytes);
    server_.set_error_handler([](const httplib::Request& /*request*/, httplib::Response& response) {
      if (!response.body.empty()) return;
      const bool missing = response.status == 404;
      const bool too_large = response.status == 413;
      answer_error(response, response.status,
                   missing     ? Status::kNotFound
                   : too_large ? Status::kTooLarge
                               : Status::kMalformed,
                   missing     ? "no such resource"
                   : too_large ? "the body is too large"
                               : "not a request that skepd serves");
    });
  }

  void add_routes() {
    const auto get = [this](const char* path, Json (Handlers::*handler)()) {
      server_.Get(path, [this, handler](const httplib::Request&, httplib::Response& response) {
        serve(response, [&] { return (handlers_.*handler)(); });
      });
    };
    get("/api/v1/status", &Handlers::status);
    get("/api/v1/round", &Handlers::round);
    get("/api/v1/rounds", &Handlers::rounds);
    get("/api/v1/stats", &Handlers::stats);

    using Post = Json (Handlers::*)(const std::string&, const audit::Actor&);
    const auto post = [this](const char* path, Post handler) {
      server_.Post(
          path, [this, handler](const httplib::Request& request, httplib::Response& response) {
            serve(response, [&] { return (handlers_.*handler)(request.body, actor_of(request)); });
          });
    };
    post("/api/v1/round/aggregate", &Handlers::aggregate);
    post("/api/v1/model/rollback", &Handlers::rollback);
    post("/api/v1/backup", &Handlers::back_up);
    server_.Post("/api/v1/model/import", [this](const httplib::Request& request,
                                                httplib::Response& response) {
      serve(response, [&] {
        const Bytes package(reinterpret_cast<const std::uint8_t*>(request.body.data()),
                            request.body.size());
        return handlers_.import_model(package, request.get_param_value("force"), actor_of(request));
      });
    });
  }

  std::filesystem::path socket_;
  Handlers handlers_;
  PeerServer server_{kReadTimeoutS};
  std::thread thread_;
};

AdminServer::AdminServer(const std::filesystem::path& socket, const Gateway& gateway)
    : engine_(std::make_unique<Engine>(socket, gateway)) {}

AdminServer::~AdminServer() = default;

}  // namespace skep::admin
