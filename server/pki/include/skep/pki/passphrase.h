// What a federation's private keys are encrypted with.
#pragma once

#include <filesystem>
#include <string>

#include "skep/bytes.h"
#include "skep/pki/secret_bytes.h"

namespace skep::pki {

inline constexpr std::size_t kMinPassphraseBytes = 20;
inline constexpr std::size_t kMaxPassphraseBytes = 1023;  // What OpenSSL's tools take.

/// Wiped on destruction. Movable, not copyable.
class Passphrase {
 public:
  /// The text of the file, which may end with a newline.
  /// Errors: PkiError as read_secret_file(), so also if others may read it; if it is shorter than
  /// kMinPassphraseBytes or longer than kMaxPassphraseBytes.
  static Passphrase from_file(const std::filesystem::path& path);

  /// The same of a credential that systemd hands over: of the file `name` in
  /// $CREDENTIALS_DIRECTORY, which systemd lets this service read and nobody else.
  /// Errors: PkiError if there is no such variable, or as above.
  static Passphrase from_credential(const std::string& name);

  [[nodiscard]] Bytes bytes() const { return bytes_.bytes(); }

 private:
  explicit Passphrase(SecretBytes bytes) : bytes_(std::move(bytes)) {}
  static Passphrase from_text(Bytes text, const std::filesystem::path& origin);

  SecretBytes bytes_;
};

}  // namespace skep::pki
