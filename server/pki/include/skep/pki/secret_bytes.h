// Memory for secrets, overwritten before it is given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "skep/bytes.h"

namespace skep::pki {

/// Overwrites `size_bytes` at `memory` in a way that the compiler does not optimise away.
void wipe(void* memory, std::size_t size_bytes);

/// Bytes on the heap that are wiped on destruction. Fixed size, so that no reallocation leaves a
/// copy behind. Movable, not copyable.
class SecretBytes {
 public:
  explicit SecretBytes(std::size_t size_bytes) : bytes_(size_bytes) {}
  SecretBytes(SecretBytes&& other) noexcept = default;
  SecretBytes& operator=(SecretBytes&&) = delete;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_.data(), bytes_.size()); }

  [[nodiscard]] std::uint8_t* data() { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  [[nodiscard]] MutableBytes mutable_bytes() { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace skep::pki
