// Digests, for tests that compare trained weights with those of every other build.
#pragma once

#include <gtest/gtest.h>
#include <mbedtls/sha256.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "skep/bytes.h"

namespace skep::learn {

/// SHA-256 of `bytes` as 64 lower-case digits.
inline std::string sha256_hex(Bytes bytes) {
  std::array<std::uint8_t, 32> digest{};
  EXPECT_EQ(mbedtls_sha256(bytes.data(), bytes.size(), digest.data(), 0), 0);
  std::string hex;
  for (const std::uint8_t byte : digest) {
    std::array<char, 3> text{};
    std::snprintf(text.data(), text.size(), "%02x", byte);
    hex += text.data();
  }
  return hex;
}

}  // namespace skep::learn
