// A signed statement of what the audit log ended in: who keeps one elsewhere can tell later
// whether that past is still there.
//
// docs/reference/audit.md has what is signed, and the text. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "skep/audit/record.h"
#include "skep/seal/signature.h"

namespace skep::audit {

struct Head {
  FederationId federation{};
  std::int64_t number = 0;  ///< Of the last record, ≥ 1.
  Digest hash{};            ///< Of that record, and through it of all before.
  std::int64_t unix_s = 0;  ///< When it was signed.

  friend bool operator==(const Head&, const Head&) = default;
};

struct SignedHead {
  Head head = {};
  seal::Signature signature{};

  friend bool operator==(const SignedHead&, const SignedHead&) = default;
};

/// Errors: AuditError of kCryptoFailed.
[[nodiscard]] SignedHead sign(const Head& head, const seal::SigningKey& key);

/// Errors: kBadSignature; kCryptoFailed; kNoMemory.
[[nodiscard]] Status verify(const SignedHead& head, const seal::VerifyingKey& key);

/// One line, without its end: name and version of the form, federation, number, time, hash and
/// signature, in decimal or lower-case hexadecimal.
[[nodiscard]] std::string to_text(const SignedHead& head);

/// Takes exactly what to_text() makes, and one newline after it. The signature is not checked.
/// Errors: AuditError of kMalformed.
[[nodiscard]] SignedHead parse_head(std::string_view text);

}  // namespace skep::audit
