// What a board implements to have a network: its Ethernet controller, polled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::port_baremetal {

/// Frames from the destination address to the payload's end, without the checksum at the end.
class Ethernet {
 public:
  static constexpr std::size_t kFrameBytes = 1514;
  using Address = std::array<std::uint8_t, 6>;

  /// Resets the controller and switches it on. Errors: kUnreachable if it does not answer.
  virtual Status start() = 0;

  [[nodiscard]] virtual Address address() const = 0;

  /// Length of the next received frame, which read_frame() then gets; 0 if there is none.
  /// Frames with errors are dropped here.
  [[nodiscard]] virtual std::size_t next_frame_bytes() = 0;

  /// The frame that next_frame_bytes() announced. `out` has its length rounded up to 4 bytes.
  /// An empty `out` drops it.
  virtual void read_frame(MutableBytes out) = 0;

  /// Hands over a frame of up to kFrameBytes in one go.
  /// Errors: kBusy if the controller has no room now: as if it were lost on the wire.
  virtual Status write_frame(Bytes frame) = 0;

 protected:
  ~Ethernet() = default;
};

}  // namespace skep::port_baremetal

namespace skep::board {

/// The board's controller. The same object each time. Only boards with
/// SKEP_BOARD_LINK ethernet in board.cmake have it.
[[nodiscard]] port_baremetal::Ethernet& ethernet();

}  // namespace skep::board
