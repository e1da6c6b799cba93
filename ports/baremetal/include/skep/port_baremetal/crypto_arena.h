// The memory of Mbed TLS: one static arena instead of a heap.
#pragma once

#include <cstddef>

namespace skep::port_baremetal {

/// Gives Mbed TLS its arena. Called once, before any other use of Mbed TLS.
void start_crypto_arena();

/// Size of the arena, and how far into it anything was ever written: what it would have to be at
/// least, with bookkeeping and fragmentation.
[[nodiscard]] std::size_t crypto_arena_bytes();
[[nodiscard]] std::size_t crypto_arena_peak_bytes();

}  // namespace skep::port_baremetal
