// Names out of a file that somebody brings, fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace skep::exchange {

/// At most 64 characters, those outside of printable ASCII as '?'.
inline std::string printable(std::string_view text) {
  constexpr std::size_t kMaxChars = 64;
  std::string result(text.substr(0, kMaxChars));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (text.size() > kMaxChars) result += "...";
  return result;
}

}  // namespace skep::exchange
