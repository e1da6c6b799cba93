// Where things are on a gateway. All of it is under coaps only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"

namespace skep::wire {

inline constexpr const char* kRoundPath = "skep/v1/round";  ///< GET, Observe: SignedRoundPlan.
inline constexpr const char* kModelPath =
    "skep/v1/model";  ///< GET ?v=N, ETag: ModelPackage; ?v=N&from=M: that or a ModelPatch.
inline constexpr const char* kUpdatesPath = "skep/v1/updates";  ///< POST: SealedUpdate → Receipt.

inline constexpr const char* kTimePath = "skep/v1/time";  ///< POST: a nonce → SignedTime.

/// Query of kModelPath: followed by the version in decimal.
inline constexpr const char* kModelVersionQuery = "v=";

/// After it, for a device that may be given a patch: followed by the version that it has.
inline constexpr const char* kBaseVersionQuery = "&from=";

/// Longest query of kModelPath, with two versions of ten digits.
inline constexpr std::size_t kMaxModelQueryChars = 2 + 10 + 6 + 10;

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

/// ETag of a ModelPatch that leads to the package with the tag `package`: another one for each base
/// version, and never a package's, so that a device notices if one takes the other's place in
/// mid-transfer. base_version ≥ 1.
[[nodiscard]] inline std::array<std::uint8_t, kModelEtagBytes> patch_etag(
    std::array<std::uint8_t, kModelEtagBytes> package, std::uint32_t base_version) {
  for (std::size_t i = 0; i < 4; ++i) {
    package[4 + i] = static_cast<std::uint8_t>(package[4 + i] ^ base_version >> (8 * i));
  }
  return package;
}

/// application/octet-stream (RFC 7252, section 12.3): every request and response with a body,
/// errors included. Which message a body is follows from resource and response code.
inline constexpr std::uint16_t kContentFormat = 42;

/// CoAP over DTLS (RFC 7252, section 12.7).
inline constexpr std::uint16_t kDefaultPort = 5684;

}  // namespace skep::wire
