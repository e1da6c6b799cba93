// What the tests and benchmarks of this folder share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "skep/bytes.h"
#include "skep/flow.h"
#include "skep/seal/envelope.h"

namespace skep::seal::testing {

using Buffer = std::vector<std::uint8_t>;

/// Aborts on anything that is not hexadecimal.
Buffer from_hex(const std::string& hex);
std::string to_hex(Bytes bytes);
Buffer to_buffer(Bytes bytes);
Bytes bytes_of(const std::string& text);

/// Keys that PSA holds now: unchanged across a call that leaks none.
std::size_t live_key_count();

/// True if `needle` occurs anywhere in `haystack`.
bool contains(Bytes haystack, Bytes needle);

/// A Compressed as the compress stage would make it. Stages do not link each other, so this is
/// the one way to have one here (see seal_testing.cc).
Compressed compressed_from(Bytes delta, std::uint32_t sample_count);

/// An UpdateContext over static memory.
UpdateContext update_context();

/// Takes the value, or aborts with the status: for what cannot fail in a test.
template <typename T>
T take(Result<T> result);

[[noreturn]] void abort_with(Status status);

template <typename T>
T take(Result<T> result) {
  if (!result.ok()) abort_with(result.status());
  return std::move(*result);
}

}  // namespace skep::seal::testing
