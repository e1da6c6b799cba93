// Talks to a running skepd over its Unix domain socket.
#pragma once

#include <filesystem>
#include <string>

#include "answer.h"
#include "skep/bytes.h"

namespace skep::skepctl {

class AdminClient {
 public:
  explicit AdminClient(std::filesystem::path socket) : socket_(std::move(socket)) {}

  /// The document that skepd answers to GET or POST.
  ///
  /// Errors: CommandError of kUnreachable naming the socket if nobody listens on it; with skepd's
  /// own code and detail if it refuses; of kMalformed if the answer is not JSON.
  [[nodiscard]] Json get(const std::string& path) const;
  [[nodiscard]] Json post(const std::string& path, const Json& body) const;
  [[nodiscard]] Json post(const std::string& path, Bytes body) const;

 private:
  std::filesystem::path socket_;
};

}  // namespace skep::skepctl
