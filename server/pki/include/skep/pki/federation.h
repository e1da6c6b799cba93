// The files of a federation directory, and the keys and certificates in them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "skep/pki/certificate.h"
#include "skep/pki/keys.h"
#include "skep/wire/codec.h"

namespace skep::pki {

using FederationId = std::array<std::uint8_t, wire::kFederationBytes>;

/// Where everything lies. The directory has mode 0700, every secret 0600.
struct FederationPaths {
  std::filesystem::path root;
  std::shared_ptr<const Passphrase> passphrase = nullptr;  ///< Of the private keys, if any.

  [[nodiscard]] std::filesystem::path ca_key() const { return root / "ca.key"; }
  [[nodiscard]] std::filesystem::path ca_certificate() const { return root / "ca.crt"; }
  [[nodiscard]] std::filesystem::path gateway_key() const { return root / "gateway.key"; }
  [[nodiscard]] std::filesystem::path gateway_certificate() const { return root / "gateway.crt"; }
  [[nodiscard]] std::filesystem::path signing_key() const { return root / "signing.key"; }
  [[nodiscard]] std::filesystem::path verifying_key() const { return root / "signing.pub"; }
  [[nodiscard]] std::filesystem::path aggregation_key() const { return root / "aggregation.key"; }
  /// What enrolment tokens are derived from: there from the first token on.
  [[nodiscard]] std::filesystem::path enrolment_key() const { return root / "enrolment.key"; }
  [[nodiscard]] std::filesystem::path config() const { return root / "skepd.toml"; }
  [[nodiscard]] std::filesystem::path devices() const { return root / "devices"; }
  [[nodiscard]] std::filesystem::path device(const std::string& name) const {
    return devices() / (name + ".cred");
  }
};

/// Eight random bytes. Errors: PkiError if there is no entropy.
FederationId new_federation_id();

/// Makes CA, gateway, signing and aggregation keys and the two certificates in `paths.root`,
/// an existing directory that has none of these files. Errors: PkiError.
void create_keys(const FederationPaths& paths, const FederationId& id, const GatewayNames& names);

/// Encrypts the private keys that are in the directory under `passphrase`, those that are encrypted
/// already, under paths.passphrase, as well; returns their files' names. Each file is replaced as a
/// whole, after all could be opened: after a crash in between, the same call completes it.
/// Errors: PkiError as load_private_pem().
std::vector<std::string> encrypt_keys(const FederationPaths& paths, const Passphrase& passphrase);

/// A device's credentials in memory, wiped on destruction. Not copyable.
class Credentials {
 public:
  Credentials() = default;
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  ~Credentials();

  wire::DeviceCredentials message{};
};

/// Where a device finds its gateway.
struct GatewayEndpoint {
  std::string host;  ///< IP address as text.
  std::uint16_t port = 0;
};

/// Makes a key and a certificate for the device `name` and fills `out`; nothing is written.
/// Returns the certificate, which the store keeps.
///
/// Errors: PkiError for a bad name; if the CA's or the signing key's file is missing, readable by
/// others or not what it should be; if `gateway.host` is not in the gateway's certificate.
Certificate enrol_device(const FederationPaths& paths, const FederationId& id,
                         const std::string& name, const GatewayEndpoint& gateway, Credentials& out);

/// Creates the file with mode 0600. Errors: create_file(); PkiError if it does not encode.
void save_credentials(const std::filesystem::path& path, const Credentials& credentials);

/// Errors: PkiError as read_secret_file(), or if it does not decode.
void load_credentials(const std::filesystem::path& path, Credentials& out);

}  // namespace skep::pki
