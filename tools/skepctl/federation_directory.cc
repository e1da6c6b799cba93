#include "federation_directory.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include "answer.h"
#include "skep/audit/operator.h"
#include "skep/seal/crypto.h"
#include "skep/wire/resources.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

toml::table parse_config(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    throw CommandError(Status::kNotFound,
                       path.parent_path().string() +
                           " is no federation directory: it has no skepd.toml "
                           "(make one with `skepctl init`, or name one with --dir)");
  }
  try {
    return toml::parse_file(path.string());
  } catch (const toml::parse_error& error) {
    throw CommandError(Status::kMalformed, path.string() + ", line " +
                                               std::to_string(error.source().begin.line) + ": " +
                                               std::string(error.description()));
  }
}

// skepd checks the whole file; we only need a few keys of it.
template <typename T>
T value_or(const toml::table& config, const char* table, const char* key, T fallback) {
  const toml::node_view<const toml::node> node = config[table][key];
  if (!node) return fallback;
  const auto value = node.template value_exact<T>();
  if (!value) {
    throw CommandError(Status::kMalformed, std::string("skepd.toml: ") + table + "." + key +
                                               " has a value of another type");
  }
  return *value;
}

}  // namespace

FederationDirectory::FederationDirectory(const fs::path& root) : paths_{root} {
  const toml::table config = parse_config(paths_.config());
  database_ = root / value_or<std::string>(config, "store", "database", "skep.db");
  admin_socket_ = root / value_or<std::string>(config, "admin", "socket", "skepd.sock");
  const auto passphrase_file = value_or<std::string>(config, "keys", "passphrase_file", "");
  if (!passphrase_file.empty()) passphrase_file_ = root / passphrase_file;
  passphrase_credential_ = value_or<std::string>(config, "keys", "passphrase_credential", "");
  const auto port = value_or<std::int64_t>(config, "coap", "port", wire::kDefaultPort);
  if (port < 0 || port > UINT16_MAX) {
    throw CommandError(Status::kMalformed, "skepd.toml: coap.port is 0 to 65535");
  }
  port_ = static_cast<std::uint16_t>(port);
}

pki::FederationPaths FederationDirectory::with_passphrase() const {
  pki::FederationPaths paths = paths_;
  if (!passphrase_file_.empty()) {
    paths.passphrase =
        std::make_shared<const pki::Passphrase>(pki::Passphrase::from_file(passphrase_file_));
  } else if (!passphrase_credential_.empty()) {
    paths.passphrase = std::make_shared<const pki::Passphrase>(
        pki::Passphrase::from_credential(passphrase_credential_));
  }
  return paths;
}

pki::DirectoryLock FederationDirectory::take() const try {
  return pki::DirectoryLock(paths_.root);
} catch (const std::runtime_error& error) {
  throw CommandError(Status::kBusy, std::string(error.what()) + ": stop it first");
}

store::Store FederationDirectory::open_store() const {
  start_crypto();  // The audit log hashes what is changed.
  return store::Store::open(database_);
}

void start_crypto() {
  if (const Status status = seal::initialize_crypto(); status != Status::kOk) {
    throw CommandError(status, "cryptography cannot be started");
  }
}

seal::VerifyingKey load_verifying_key(const fs::path& path) {
  const pki::PublicKey point = pki::load_public_key(path);
  const Result<seal::VerifyingKey> key = seal::VerifyingKey::from_bytes(point);
  if (!key.ok()) throw CommandError(key.status(), "cannot use the public key " + path.string());
  return *key;
}

seal::SigningKey load_signing_key(const pki::FederationPaths& paths) {
  const fs::path path = paths.signing_key();
  const pki::PrivateKey stored = pki::PrivateKey::load(path, paths.passphrase.get());
  Result<seal::SigningKey> key = seal::SigningKey::from_bytes(stored.scalar());
  if (!key.ok()) throw CommandError(key.status(), "cannot use the key " + path.string());
  return std::move(*key);
}

audit::Actor local_operator() { return audit::operator_of(::getuid(), "skepctl"); }

std::int64_t now_unix_s() { return static_cast<std::int64_t>(std::time(nullptr)); }

}  // namespace skep::skepctl
