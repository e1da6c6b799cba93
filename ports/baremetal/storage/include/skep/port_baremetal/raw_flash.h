// What a board implements to give the SDK its flash: the bare operations of the controller.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::port_baremetal {

/// The part of a board's flash that belongs to Skep. FlashStorage checks all arguments before it
/// calls, counts the wear and looks whether an erase took.
///
/// Power may fail during any call, as skep::Storage describes. Calls return when the controller
/// is done, so what returned kOk survives a loss of power. One caller at a time.
class RawFlash {
 public:
  /// Erase units of 256 B or more, at most 65,534 of them; program units of 4 … 32 B.
  [[nodiscard]] virtual FlashGeometry geometry() const = 0;

  /// Errors: kStorageFailed if the controller reports one (ECC and the like).
  virtual Status read(std::uint32_t offset, MutableBytes out) = 0;

  /// Whole program units that are erased. Errors: kStorageFailed.
  virtual Status program(std::uint32_t offset, Bytes data) = 0;

  /// Sets the erase unit that begins at `offset` to 0xFF. Errors: kStorageFailed.
  virtual Status erase_unit(std::uint32_t offset) = 0;

 protected:
  ~RawFlash() = default;
};

}  // namespace skep::port_baremetal
