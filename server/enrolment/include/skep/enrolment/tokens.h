// Enrolment tokens: made and revoked by an operator, each with its record in the audit log.
#pragma once

#include <cstdint>
#include <string>

#include "skep/audit/record.h"
#include "skep/enrolment/error.h"
#include "skep/pki/enrolment_key.h"
#include "skep/pki/secret_bytes.h"
#include "skep/store/store.h"

namespace skep::enrolment {

struct TokenRequest {
  std::string device = {};    ///< The only name that it is for; empty: a batch of new ones.
  std::uint32_t devices = 1;  ///< Of a batch: how many, 1 … store::kMaxTokenUses.
  std::int64_t valid_s = 0;   ///< From now, 1 … kMaxTokenValidS.
};

/// A year.
inline constexpr std::int64_t kMaxTokenValidS = 366 * 86'400;

/// What the device is given: the identity and the key of its DTLS session.
struct MadeToken {
  store::EnrolmentToken token;
  pki::SecretBytes secret;  ///< pki::kTokenSecretChars characters.
};

/// Errors: EnrolmentError of kInvalidArgument for a time out of range, or if the name is enrolled
/// and not revoked; StoreError of kInvalidArgument for a bad name or number; StoreError, PkiError.
MadeToken make_token(store::Store& store, const pki::EnrolmentKey& key, const TokenRequest& request,
                     const audit::Actor& who, std::int64_t now_unix_s);

/// Errors: StoreError as Store::revoke_token().
void revoke_token(store::Store& store, const std::string& id, const audit::Actor& who,
                  std::int64_t now_unix_s);

/// Records within the caller's Transaction that these tokens were voided.
void record_revoked_token(store::Store& store, const store::EnrolmentToken& token,
                          const audit::Actor& who, std::int64_t now_unix_s);

}  // namespace skep::enrolment
