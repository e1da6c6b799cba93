// One line of text for the board's console, without stdio (whose FILEs want a heap).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "skep/bytes.h"

namespace skep::port_baremetal {

/// Collects up to 255 characters (what is beyond is cut off) and writes them with a line feed on
/// end(). 260 B, no heap.
class Line {
 public:
  Line& text(std::string_view text);
  Line& number(std::uint64_t value);
  Line& signed_number(std::int64_t value);
  Line& hex(std::uint32_t value);  ///< As 0x and eight digits.
  Line& hex(Bytes bytes);          ///< Two digits a byte.

  /// " name=value", the form of everything that programs read from the console.
  Line& field(std::string_view name, std::uint64_t value);
  Line& field(std::string_view name, std::string_view value);

  /// Writes the line; the object is empty afterwards.
  void end();

 private:
  static constexpr std::size_t kLongest = 255;

  void append(char character);

  std::array<char, kLongest + 1> buffer_{};
  std::size_t length_ = 0;
};

}  // namespace skep::port_baremetal
