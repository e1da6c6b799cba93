// What a board without Ethernet implements to have a network: a serial line for SLIP (RFC 1055).
#pragma once

#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::port_baremetal {

class SerialLink {
 public:
  /// Switches the line on. Errors: kUnreachable if that fails.
  virtual Status start() = 0;

  /// Takes what has been received, at most out.size() bytes. Returns how many; does not wait.
  /// The board buffers at least one datagram of 1,500 B; what does not fit is lost.
  [[nodiscard]] virtual std::size_t read(MutableBytes out) = 0;

  /// Returns when the byte is in the transmitter.
  virtual void write(std::uint8_t byte) = 0;

 protected:
  ~SerialLink() = default;
};

}  // namespace skep::port_baremetal

namespace skep::board {

/// The board's line. The same object each time. Only boards with SKEP_BOARD_LINK serial have it.
[[nodiscard]] port_baremetal::SerialLink& serial_link();

}  // namespace skep::board
