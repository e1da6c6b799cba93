#include "admin_client.h"

#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace skep::skepctl {
namespace {

// Aggregating and evaluating a large model takes its time.
constexpr int kAnswerTimeoutS = 300;
constexpr int kConnectTimeoutS = 5;

httplib::Client connect(const std::filesystem::path& socket) {
  const std::string name = socket.string();
  if (name.size() >= sizeof(sockaddr_un{}.sun_path)) {
    throw CommandError(Status::kInvalidArgument,
                       "the path of the socket " + name + " has " + std::to_string(name.size()) +
                           " characters: Unix domain sockets allow " +
                           std::to_string(sizeof(sockaddr_un{}.sun_path) - 1));
  }
  httplib::Client client(name);
  client.set_address_family(AF_UNIX);
  client.set_connection_timeout(kConnectTimeoutS);
  client.set_read_timeout(kAnswerTimeoutS);
  client.set_write_timeout(kAnswerTimeoutS);
  return client;
}

Json parse(const std::string& body) {
  try {
    return Json::parse(body);
  } catch (const Json::exception&) {
    throw CommandError(Status::kMalformed, "skepd's answer is not JSON: " + body.substr(0, 200));
  }
}

/// The member if it is a string.
std::string text_or(const Json& object, const char* key, const std::string& fallback) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : fallback;
}

[[noreturn]] void throw_refusal(int http_status, const Json& answer) {
  const std::string unexplained = "skepd refused with HTTP status " + std::to_string(http_status);
  if (!answer.is_object() || !answer.contains("error") || !answer["error"].is_object()) {
    throw CommandError(Status::kRejected, unexplained);
  }
  const Json& error = answer["error"];
  throw CommandError(text_or(error, "code", "kRejected"), text_or(error, "detail", unexplained));
}

Json check(const httplib::Result& result, const std::filesystem::path& socket) {
  if (!result) {
    if (result.error() == httplib::Error::Connection) {
      throw CommandError(Status::kUnreachable,
                         "skepd is not running: nobody listens on " + socket.string() +
                             " (start skepd with this directory's skepd.toml)");
    }
    throw CommandError(Status::kUnreachable, "no answer from skepd on " + socket.string() + ": " +
                                                 httplib::to_string(result.error()));
  }
  const Json answer = parse(result->body);
  if (result->status < 200 || result->status > 299) throw_refusal(result->status, answer);
  return answer;
}

}  // namespace

Json AdminClient::get(const std::string& path) const {
  httplib::Client client = connect(socket_);
  return check(client.Get(path), socket_);
}

Json AdminClient::post(const std::string& path, const Json& body) const {
  httplib::Client client = connect(socket_);
  return check(client.Post(path, body.dump(), "application/json"), socket_);
}

Json AdminClient::post(const std::string& path, Bytes body) const {
  httplib::Client client = connect(socket_);
  return check(client.Post(path, reinterpret_cast<const char*>(body.data()), body.size(),
                           "application/octet-stream"),
               socket_);
}

}  // namespace skep::skepctl
