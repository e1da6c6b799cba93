// What a board implements to have a sensor: a serial line that it listens on (115,200 baud, 8N1).
#pragma once

#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::port_baremetal {

class SensorLine {
 public:
  /// Switches the line on. Errors: kUnreachable if that fails.
  virtual Status start() = 0;

  /// Takes what has been received, at most out.size() bytes. Returns how many; does not wait.
  /// The board buffers at least 256 bytes by interrupt: polling may pause for as long as
  /// Device::poll() does, a second on slow cores.
  [[nodiscard]] virtual std::size_t read(MutableBytes out) = 0;

  /// How often something was lost since the start, because nobody read it in time: each time it
  /// was at least a byte. Wraps.
  [[nodiscard]] virtual std::uint32_t overruns() const = 0;

 protected:
  ~SensorLine() = default;
};

}  // namespace skep::port_baremetal

namespace skep::board {

/// The board's line. The same object each time. Only boards with SKEP_BOARD_SENSOR in board.cmake
/// have it, and only images that link skep::board_sensor.
[[nodiscard]] port_baremetal::SensorLine& sensor_line();

}  // namespace skep::board
