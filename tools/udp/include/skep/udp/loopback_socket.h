// A UDP socket on 127.0.0.1.
#pragma once

#include <cstdint>
#include <optional>

#include "skep/bytes.h"

namespace skep::udp {

using Port = std::uint16_t;

struct Datagram {
  Bytes content;  ///< In the buffer that was handed in.
  Port sender = 0;
};

/// Owned, and never blocks. Movable; not thread-safe.
class LoopbackSocket {
 public:
  /// The longest payload that UDP has, and more.
  static constexpr std::size_t kMaxDatagramBytes = 65536;

  /// Throws std::system_error, as bind() and connect() do.
  LoopbackSocket();
  ~LoopbackSocket();
  LoopbackSocket(LoopbackSocket&& other) noexcept;
  LoopbackSocket& operator=(LoopbackSocket&&) = delete;
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;

  /// Takes a free port, and says which.
  Port bind();

  /// From now on it talks to `peer` only.
  void connect(Port peer);

  /// What came next; nothing if none waits, or if the peer is away.
  [[nodiscard]] std::optional<Datagram> receive(MutableBytes buffer) const;

  /// To the peer. False if it was not sent, e.g. because nobody listens there.
  [[nodiscard]] bool send(Bytes content) const;

  /// The same to anybody, from a socket that is not connected.
  [[nodiscard]] bool send_to(Port receiver, Bytes content) const;

  /// For poll().
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace skep::udp
