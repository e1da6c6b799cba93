#include "skep/pki/federation.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "encrypted_key.h"
#include "mbedtls_support.h"
#include "skep/pki/files.h"

namespace skep::pki {
namespace {

std::string hex(const FederationId& id) {
  std::string text;
  for (const std::uint8_t byte : id) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

template <typename SizedBytes>
void copy_into(SizedBytes& field, Bytes bytes, const std::string& what) {
  if (bytes.size() > sizeof field.bytes) {
    throw PkiError(what + " has " + std::to_string(bytes.size()) + " bytes: expected at most " +
                   std::to_string(sizeof field.bytes));
  }
  std::memcpy(field.bytes, bytes.data(), bytes.size());
  field.size = static_cast<decltype(field.size)>(bytes.size());
}

void require_reachable(const GatewayEndpoint& gateway, const FederationPaths& paths) {
  const Certificate certificate = load_certificate(paths.gateway_certificate());
  const auto& known = certificate.ip_addresses;
  if (std::find(known.begin(), known.end(), gateway.host) == known.end()) {
    std::string list;
    for (const std::string& address : known) list += " " + address;
    throw PkiError("'" + gateway.host + "' is not an address in " +
                   paths.gateway_certificate().string() + ", which has:" + list);
  }
  if (gateway.port == 0) throw PkiError("a gateway's port is 1 to 65535");
}

// A call that was interrupted has left some keys under the new passphrase.
SecretBytes open_key(const std::filesystem::path& path, const FederationPaths& paths,
                     const Passphrase& passphrase) {
  try {
    return load_private_pem(path, &passphrase);
  } catch (const PkiError&) {
    return load_private_pem(path, paths.passphrase.get());
  }
}

}  // namespace

FederationId new_federation_id() {
  FederationId id{};
  random_bytes(id);
  return id;
}

void create_keys(const FederationPaths& paths, const FederationId& id, const GatewayNames& names) {
  const PrivateKey ca_key = PrivateKey::generate();
  const PrivateKey gateway_key = PrivateKey::generate();
  const PrivateKey signing_key = PrivateKey::generate();
  const PrivateKey aggregation_key = PrivateKey::generate();
  const Certificate ca = issue_ca(ca_key, "Skep federation " + hex(id));
  const Certificate gateway = issue_gateway(ca, ca_key, gateway_key.public_key(), names);

  ca_key.save(paths.ca_key());
  save_certificate(paths.ca_certificate(), ca);
  gateway_key.save(paths.gateway_key());
  save_certificate(paths.gateway_certificate(), gateway);
  signing_key.save(paths.signing_key());
  save_public_key(paths.verifying_key(), signing_key.public_key());
  aggregation_key.save(paths.aggregation_key());
}

std::vector<std::string> encrypt_keys(const FederationPaths& paths, const Passphrase& passphrase) {
  std::vector<std::pair<std::filesystem::path, SecretBytes>> encrypted;
  for (const std::filesystem::path& path :
       {paths.ca_key(), paths.gateway_key(), paths.signing_key(), paths.aggregation_key()}) {
    if (!std::filesystem::exists(path)) continue;  // ca.key may be kept elsewhere.
    encrypted.emplace_back(path,
                           encrypt_key(open_key(path, paths, passphrase).bytes(), passphrase));
  }
  std::vector<std::string> names;
  for (const auto& [path, pem] : encrypted) {
    replace_file(path, pem.bytes(), Access::kSecret);
    names.push_back(path.filename().string());
  }
  return names;
}

Credentials::~Credentials() { wipe(&message, sizeof message); }

Certificate enrol_device(const FederationPaths& paths, const FederationId& id,
                         const std::string& name, const GatewayEndpoint& gateway,
                         Credentials& out) {
  require_reachable(gateway, paths);
  const Certificate ca = load_certificate(paths.ca_certificate());
  const PrivateKey ca_key = PrivateKey::load(paths.ca_key(), paths.passphrase.get());
  const PublicKey signing_key = load_public_key(paths.verifying_key());
  const PrivateKey device_key = PrivateKey::generate();
  Certificate certificate = issue_device(ca, ca_key, device_key.public_key(), name);

  wire::DeviceCredentials& message = out.message;
  message = wire::DeviceCredentials{};
  message.version = 1;
  std::copy(id.begin(), id.end(), message.federation);
  std::snprintf(message.device, sizeof message.device, "%s", name.c_str());
  copy_into(message.ca_certificate, ca.der, "the CA's certificate");
  copy_into(message.device_certificate, certificate.der, "the device's certificate");
  std::copy(device_key.scalar().begin(), device_key.scalar().end(), message.device_private_key);
  std::copy(signing_key.begin(), signing_key.end(), message.model_signing_key);
  std::snprintf(message.gateway_host, sizeof message.gateway_host, "%s", gateway.host.c_str());
  message.gateway_port = gateway.port;
  return certificate;
}

void save_credentials(const std::filesystem::path& path, const Credentials& credentials) {
  SecretBytes buffer(wire::kMaxDeviceCredentialsBytes);
  const Result<std::size_t> length = wire::encode(credentials.message, buffer.mutable_bytes());
  if (!length.ok()) {
    throw PkiError(path.string() + ": these are no device credentials (" +
                   to_string(length.status()) + ")");
  }
  create_file(path, buffer.bytes().first(*length), Access::kSecret);
}

void load_credentials(const std::filesystem::path& path, Credentials& out) {
  const SecretBytes bytes = read_secret_file(path, wire::kMaxDeviceCredentialsBytes);
  const Status status = wire::decode_device_credentials(bytes.bytes(), out.message);
  if (status != Status::kOk) {
    throw PkiError(path.string() + " does not hold device credentials (" + to_string(status) + ")");
  }
}

}  // namespace skep::pki
