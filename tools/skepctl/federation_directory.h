// The directory that --dir names: its files, its database, and what skepctl reads of skepd.toml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "skep/audit/record.h"
#include "skep/pki/directory_lock.h"
#include "skep/pki/federation.h"
#include "skep/seal/signature.h"
#include "skep/store/store.h"

namespace skep::skepctl {

class FederationDirectory {
 public:
  /// Errors: CommandError of kNotFound if there is no skepd.toml in `root`; of kMalformed naming
  /// the line if it is no TOML, or the key if it has another type.
  explicit FederationDirectory(const std::filesystem::path& root);

  [[nodiscard]] const pki::FederationPaths& paths() const { return paths_; }
  /// The same, with the passphrase that skepd.toml names for the private keys.
  /// Errors: PkiError as pki::Passphrase.
  [[nodiscard]] pki::FederationPaths with_passphrase() const;
  [[nodiscard]] const std::filesystem::path& database() const { return database_; }
  [[nodiscard]] const std::filesystem::path& admin_socket() const { return admin_socket_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Keeps skepd from starting while the lock lives. Errors: CommandError of kBusy if it runs.
  [[nodiscard]] pki::DirectoryLock take() const;

  /// Errors: StoreError.
  [[nodiscard]] store::Store open_store() const;

 private:
  pki::FederationPaths paths_;
  std::filesystem::path database_;
  std::filesystem::path admin_socket_;
  std::filesystem::path passphrase_file_;
  std::string passphrase_credential_;
  std::uint16_t port_ = 0;
};

/// What hashes and verifies needs it first. Errors: CommandError of kCryptoFailed.
void start_crypto();

/// Errors: PkiError as pki::load_public_key().
seal::VerifyingKey load_verifying_key(const std::filesystem::path& path);

/// Errors: PkiError as pki::PrivateKey::load(); CommandError of kCryptoFailed.
seal::SigningKey load_signing_key(const pki::FederationPaths& paths);

/// The user who runs skepctl, for the audit log.
audit::Actor local_operator();

/// Seconds since 1970.
std::int64_t now_unix_s();

}  // namespace skep::skepctl
