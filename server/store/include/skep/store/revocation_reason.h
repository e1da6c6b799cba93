// Why a device's certificate is revoked (RFC 5280, section 5.3.1).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace skep::store {

/// The values are those of CRLReason. Left out is what cannot be said of a device: the CA's and
/// attribute authorities' reasons, and holds, because a revocation is never taken back.
enum class RevocationReason : std::uint8_t {
  kUnspecified = 0,
  kKeyCompromise = 1,         ///< Stolen, opened, or its credentials were copied.
  kAffiliationChanged = 3,    ///< It belongs to somebody else now.
  kSuperseded = 4,            ///< It gets a new certificate.
  kCessationOfOperation = 5,  ///< Taken out of service.
  kPrivilegeWithdrawn = 9,    ///< It may no longer take part.
};

struct NamedReason {
  RevocationReason reason;
  std::string_view name;  ///< As in RFC 5280.
};

inline constexpr std::array kRevocationReasons{
    NamedReason{RevocationReason::kUnspecified, "unspecified"},
    NamedReason{RevocationReason::kKeyCompromise, "keyCompromise"},
    NamedReason{RevocationReason::kAffiliationChanged, "affiliationChanged"},
    NamedReason{RevocationReason::kSuperseded, "superseded"},
    NamedReason{RevocationReason::kCessationOfOperation, "cessationOfOperation"},
    NamedReason{RevocationReason::kPrivilegeWithdrawn, "privilegeWithdrawn"},
};

[[nodiscard]] constexpr std::string_view to_string(RevocationReason reason) {
  for (const NamedReason& each : kRevocationReasons) {
    if (each.reason == reason) return each.name;
  }
  return "unspecified";
}

[[nodiscard]] constexpr std::optional<RevocationReason> parse_revocation_reason(
    std::string_view name) {
  for (const NamedReason& each : kRevocationReasons) {
    if (each.name == name) return each.reason;
  }
  return std::nullopt;
}

}  // namespace skep::store
