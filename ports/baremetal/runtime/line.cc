#include "skep/port_baremetal/line.h"

#include "skep/port_baremetal/board.h"

namespace skep::port_baremetal {
namespace {

constexpr std::size_t kMostDigits = 20;  // of 2^64

char hex_digit(unsigned value) { return "0123456789abcdef"[value & 15U]; }

}  // namespace

void Line::append(char character) {
  if (length_ < kLongest) buffer_[length_++] = character;
}

Line& Line::text(std::string_view text) {
  for (const char character : text) append(character);
  return *this;
}

Line& Line::number(std::uint64_t value) {
  std::array<char, kMostDigits> digits;
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count != 0) append(digits[--count]);
  return *this;
}

Line& Line::signed_number(std::int64_t value) {
  if (value < 0) append('-');
  // Also right for the smallest value, which has no positive counterpart.
  return number(value < 0 ? 0 - static_cast<std::uint64_t>(value)
                          : static_cast<std::uint64_t>(value));
}

Line& Line::hex(std::uint32_t value) {
  text("0x");
  for (unsigned shift = 32; shift != 0; shift -= 4) append(hex_digit(value >> (shift - 4)));
  return *this;
}

Line& Line::hex(Bytes bytes) {
  for (const std::uint8_t byte : bytes) {
    append(hex_digit(byte >> 4U));
    append(hex_digit(byte));
  }
  return *this;
}

Line& Line::field(std::string_view name, std::uint64_t value) {
  return text(" ").text(name).text("=").number(value);
}

Line& Line::field(std::string_view name, std::string_view value) {
  return text(" ").text(name).text("=").text(value);
}

void Line::end() {
  buffer_[length_++] = '\n';
  board::write({buffer_.data(), length_});
  length_ = 0;
}

}  // namespace skep::port_baremetal
