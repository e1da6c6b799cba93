// What holds for any input of any decoder of the wire.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "skep/wire/codec.h"

namespace skep::fuzz {

/// Ends the program, which is how libFuzzer learns of a finding.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

/// A message that was decoded from `bytes` encodes to them again, into exactly that much memory.
template <typename Message>
void require_round_trip(const Message& message, Bytes bytes) {
  std::vector<std::uint8_t> out(bytes.size());
  const Result<std::size_t> size = wire::encode(message, out);
  require(size.ok() && *size == bytes.size(), "what was decoded encodes");
  require(std::equal(bytes.begin(), bytes.end(), out.begin()), "there is one encoding");
}

/// Decodes `bytes`; if that works, checks the above.
template <typename Message>
void decode_and_check(Result<Message> (*decode)(Bytes), Bytes bytes) {
  const Result<Message> message = decode(bytes);
  if (message.ok()) require_round_trip(*message, bytes);
}

inline bool contains(Bytes outer, Bytes inner) {
  return inner.data() >= outer.data() && inner.data() + inner.size() <= outer.data() + outer.size();
}

}  // namespace skep::fuzz
