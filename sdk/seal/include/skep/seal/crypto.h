// Start-up of the cryptography, and memory that forgets what it held.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::seal {

/// Starts PSA Crypto and seeds its generator. Must have succeeded before anything else in
/// skep::seal is called; further calls do nothing. Thread-safe where MBEDTLS_THREADING_C is on.
///
/// Errors: kNoEntropy if the generator cannot be seeded; kNoMemory; kCryptoFailed.
Status initialize_crypto();

/// Overwrites `bytes` with zeros in a way that the compiler does not remove.
void wipe(MutableBytes bytes);

/// N secret bytes, wiped on destruction and when moved from. Not copyable, so that no second
/// copy is left behind unseen.
template <std::size_t N>
class SecretBytes {
 public:
  SecretBytes() = default;
  SecretBytes(SecretBytes&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  [[nodiscard]] Bytes view() const { return bytes_; }
  [[nodiscard]] MutableBytes mutable_view() { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

}  // namespace skep::seal
