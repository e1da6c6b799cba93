// Integers as the bytes that are hashed and signed.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace skep::audit {

/// The two's complement of `value`, most significant byte first.
template <typename Integer>
void append_integer(std::vector<std::uint8_t>& out, Integer value) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  for (std::size_t shift = sizeof(Integer) * 8; shift > 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(bits >> (shift - 8)));
  }
}

}  // namespace skep::audit
