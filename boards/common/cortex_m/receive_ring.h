// Bytes on their way from an interrupt handler, which alone writes, to the program, which alone
// reads.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"

namespace skep::board {

template <std::uint32_t capacity>
class ReceiveRing {
 public:
  /// By the handler. False if there is no room: the byte is lost.
  bool put(std::uint8_t byte) {
    if (written_ - read_ == capacity) return false;
    bytes_[written_ % capacity] = byte;
    written_ = written_ + 1;
    return true;
  }

  /// By the program: at most out.size() bytes. Returns how many.
  [[nodiscard]] std::size_t take(MutableBytes out) {
    std::size_t count = 0;
    while (count < out.size() && read_ != written_) {
      out[count++] = bytes_[read_ % capacity];
      read_ = read_ + 1;
    }
    return count;
  }

 private:
  static_assert(std::has_single_bit(capacity), "the counters wrap");

  std::array<volatile std::uint8_t, capacity> bytes_{};
  volatile std::uint32_t written_ = 0;
  volatile std::uint32_t read_ = 0;
};

}  // namespace skep::board
