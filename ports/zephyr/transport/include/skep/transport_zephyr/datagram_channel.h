// Datagrams to and from the gateway over a secured session, as the CoAP client needs them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::transport {

/// Not thread-safe.
class DatagramChannel {
 public:
  /// Makes the session; may take as long as a handshake. An open one is closed first.
  ///
  /// Errors: kUnreachable if the peer does not answer, fails its authentication or refuses ours;
  /// kInvalidArgument if address or credentials are not usable; kNoMemory.
  virtual Status connect() = 0;

  /// Ends the session, if there is one.
  virtual void close() = 0;

  /// Sends one datagram, which may get lost like any other.
  ///
  /// Errors: kUnreachable if the session is over.
  virtual Status send(Bytes datagram) = 0;

  /// Length of the next datagram, now in `buffer`; 0 if none has arrived. A datagram that is
  /// larger than `buffer` is dropped.
  ///
  /// Errors: kUnreachable if the session is over.
  [[nodiscard]] virtual Result<std::size_t> receive(MutableBytes buffer) = 0;

  /// Returns when a datagram has arrived or the time is over, whichever comes first.
  virtual void wait(std::uint32_t timeout_ms) = 0;

 protected:
  ~DatagramChannel() = default;
};

}  // namespace skep::transport
