// X.509 certificates of a federation (RFC 5280), made and read by Mbed TLS.
//
// One CA per federation signs the gateway's and every device's certificate. All keys are P-256,
// all signatures ECDSA with SHA-256, serial numbers random (126 bits), key identifiers the first
// 160 bits of the SHA-256 of the public key (RFC 7093, section 2, method 1). Certificates begin
// an hour before they are made, so that a clock that is a little late accepts them, and end with
// the CA's if nothing else is said. Everything here throws PkiError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "skep/bytes.h"
#include "skep/pki/keys.h"

namespace skep::pki {

inline constexpr int kCaYears = 10;

/// A certificate as DER, and what we read in it.
struct Certificate {
  std::vector<std::uint8_t> der;
  std::string common_name;
  PublicKey public_key;
  std::vector<std::uint8_t> serial;  ///< Big endian.
  std::int64_t not_before_unix_s = 0;
  std::int64_t not_after_unix_s = 0;
  std::vector<std::string> ip_addresses;  ///< Of the subject alternative name, as text, in order.
  std::vector<std::string> dns_names;     ///< Of the subject alternative name, in order.
};

/// What a gateway is reached by.
struct GatewayNames {
  std::vector<std::string> ip_addresses;  ///< IPv4 or IPv6 as text; at least one.
  std::vector<std::string> dns_names;     ///< May be empty.
};

/// Self-signed: CA:TRUE with path length 0, key usage certificate and CRL signing, 10 years.
/// `common_name`: 1 … 64 characters of [A-Za-z0-9 .-].
Certificate issue_ca(const PrivateKey& ca_key, const std::string& common_name);

/// Key usage digital signature, extended key usage serverAuth, SAN as in `names`.
/// Errors: PkiError naming an address or a name that is not one.
Certificate issue_gateway(const Certificate& ca, const PrivateKey& ca_key,
                          const PublicKey& gateway_key, const GatewayNames& names);

/// CN = `device_name`, key usage digital signature, extended key usage clientAuth. Ends `days` from
/// now, but not after the CA's; without `days` with the CA's.
/// Errors: PkiError if the name is not 1 … 32 characters of [a-z0-9-].
Certificate issue_device(const Certificate& ca, const PrivateKey& ca_key,
                         const PublicKey& device_key, const std::string& device_name,
                         std::optional<std::uint32_t> days = std::nullopt);

/// Errors: PkiError if `der` is not exactly one X.509 certificate with a P-256 key.
Certificate parse_certificate(Bytes der);

/// One certificate in PEM, mode 0644. Errors: create_file().
void save_certificate(const std::filesystem::path& path, const Certificate& certificate);

/// Errors: PkiError as read_file(), or if it does not hold exactly one such certificate.
Certificate load_certificate(const std::filesystem::path& path);

}  // namespace skep::pki
