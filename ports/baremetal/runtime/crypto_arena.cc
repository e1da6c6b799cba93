#include "skep/port_baremetal/crypto_arena.h"

#include <mbedtls/memory_buffer_alloc.h>

#include <algorithm>
#include <array>
#include <cstdint>

#ifndef SKEP_CRYPTO_ARENA_BYTES
#define SKEP_CRYPTO_ARENA_BYTES (13 * 1024)
#endif

namespace skep::port_baremetal {
namespace {

alignas(8) std::array<std::uint8_t, SKEP_CRYPTO_ARENA_BYTES> arena;

constexpr std::uint8_t kPaint = 0xC3;
constexpr std::size_t kHeaderBytesMax = 64;

}  // namespace

void start_crypto_arena() {
  mbedtls_memory_buffer_alloc_init(arena.data(), arena.size());
  // The allocator's first header is at the beginning now; all behind it is free.
  std::fill(arena.begin() + kHeaderBytesMax, arena.end(), kPaint);
}

std::size_t crypto_arena_bytes() { return arena.size(); }

// The allocator takes the first block that fits, from the start of the arena.
std::size_t crypto_arena_peak_bytes() {
  const auto untouched =
      std::find_if(arena.rbegin(), arena.rend(), [](std::uint8_t byte) { return byte != kPaint; });
  return static_cast<std::size_t>(arena.rend() - untouched);
}

}  // namespace skep::port_baremetal
