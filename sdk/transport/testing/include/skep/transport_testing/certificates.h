// Certificates made on the spot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skep::transport_testing {

using Buffer = std::vector<std::uint8_t>;

enum class Usage : std::uint8_t { kAuthority, kServer, kClient };

/// A P-256 key and its X.509 certificate.
struct Credential {
  Buffer certificate;      ///< DER.
  Buffer private_key_der;  ///< RFC 5915.
  Buffer private_scalar;   ///< 32 bytes, big endian.
};

/// Signed by `issuer`, or by itself if that is null. Aborts if Mbed TLS fails.
Credential make_credential(const std::string& name, Usage usage, const Credential* issuer);

}  // namespace skep::transport_testing
