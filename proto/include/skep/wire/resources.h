// Where things are on a gateway. All of it is under coaps only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"

namespace skep::wire {

inline constexpr const char* kRoundPath = "skep/v1/round";      ///< GET, Observe: SignedRoundPlan.
inline constexpr const char* kModelPath = "skep/v1/model";      ///< GET ?v=N, ETag: ModelPackage.
inline constexpr const char* kUpdatesPath = "skep/v1/updates";  ///< POST: SealedUpdate → Receipt.

/// Query of kModelPath: followed by the version in decimal.
inline constexpr const char* kModelVersionQuery = "v=";

inline constexpr std::size_t kModelEtagBytes = 8;

/// ETag of a model package: its version, big endian, then the first four bytes of the
/// weights' digest, so that a device knows the tag of what it has. `weights_digest` has ≥ 4 bytes.
[[nodiscard]] inline std::array<std::uint8_t, kModelEtagBytes> model_etag(std::uint32_t version,
                                                                          Bytes weights_digest) {
  std::array<std::uint8_t, kModelEtagBytes> etag{
      static_cast<std::uint8_t>(version >> 24U), static_cast<std::uint8_t>(version >> 16U),
      static_cast<std::uint8_t>(version >> 8U), static_cast<std::uint8_t>(version)};
  std::copy_n(weights_digest.begin(), 4, etag.begin() + 4);
  return etag;
}

/// application/octet-stream (RFC 7252, section 12.3): every request and response with a body,
/// errors included. Which message a body is follows from resource and response code.
inline constexpr std::uint16_t kContentFormat = 42;

/// CoAP over DTLS (RFC 7252, section 12.7).
inline constexpr std::uint16_t kDefaultPort = 5684;

}  // namespace skep::wire
