// The secret that the secrets of enrolment tokens are derived from.
//
// A token's secret is the pre-shared key of a DTLS session, so the gateway must know it; a database
// from which it could be read would be as good as the tokens. Hence nothing of it is stored but its
// SHA-256: the secret is computed anew, from the token's id and a key in a file of its own. Who has
// a copy of the database has no token. A plain SHA-256 is enough, without salt or stretching,
// because 160 random bits cannot be searched.
#pragma once

#include <array>
#include <filesystem>
#include <string_view>

#include "skep/bytes.h"
#include "skep/pki/secret_bytes.h"

namespace skep::pki {

/// Characters of [a-z2-7] (base32, RFC 4648), 5 bits each: 160 bits. They are the pre-shared key
/// itself, byte for byte, so that any tool can be given it as text.
inline constexpr std::size_t kTokenSecretChars = 32;

/// Hexadecimal digits, lower case, random. No secret: it is the PSK identity, sent in clear.
inline constexpr std::size_t kTokenIdChars = 16;

/// A new id. Errors: PkiError if there is no entropy.
std::array<char, kTokenIdChars> new_token_id();

class EnrolmentKey {
 public:
  /// Reads the file; makes it first (32 random bytes, mode 0600) if there is none.
  /// Errors: PkiError as read_secret_file() and create_file(), or if it has another length.
  static EnrolmentKey load_or_create(const std::filesystem::path& path);

  /// The first 32 bytes of HMAC-SHA256(key, "skep enrolment token v1" ‖ 0 ‖ id), of which each
  /// gives one character by its low five bits.
  [[nodiscard]] SecretBytes secret_of(std::string_view token_id) const;

 private:
  explicit EnrolmentKey(SecretBytes key) : key_(std::move(key)) {}

  SecretBytes key_;
};

}  // namespace skep::pki
