// The gateway as a process: all rooms, and the loop that holds them together.
#pragma once

#include <memory>

#include "config.h"

namespace skep::app {

/// Blocks SIGTERM and SIGINT, which run() waits for, in this thread and those it starts; ignores
/// SIGPIPE. Before any thread is started.
void block_stop_signals();

class Daemon {
 public:
  /// Opens everything and listens. Errors: std::exception whose what() is for the operator:
  /// keys that others can read, a database of another schema, an address in use …
  explicit Daemon(const Config& config);
  ~Daemon();

  /// Says that the gateway is ready, on standard output and to systemd, and serves until SIGTERM
  /// or SIGINT; then answers the updates that it has taken.
  void run();

  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace skep::app
