#include "skep/pki/keys.h"

#include <mbedtls/pem.h>
#include <psa/crypto.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "encrypted_key.h"
#include "mbedtls_support.h"
#include "skep/pki/files.h"

namespace skep::pki {
namespace {

// A P-256 key in PEM is about 230 bytes; some tools put parameters or text before it.
constexpr std::size_t kMaxKeyFileBytes = 16384;

// Mbed TLS wants PEM with its terminating zero counted.
SecretBytes with_terminator(const SecretBytes& pem) {
  SecretBytes text(pem.size() + 1);
  if (pem.size() > 0) std::memcpy(text.data(), pem.bytes().data(), pem.size());
  return text;
}

}  // namespace

PrivateKey::PrivateKey(PrivateKey&& other) noexcept
    : scalar_(other.scalar_), public_key_(other.public_key_) {
  wipe(other.scalar_.data(), other.scalar_.size());
}

PrivateKey::~PrivateKey() { wipe(scalar_.data(), scalar_.size()); }

PrivateKey PrivateKey::generate() {
  start_crypto();
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
  psa_key_id_t id = PSA_KEY_ID_NULL;
  if (psa_generate_key(&attributes, &id) != PSA_SUCCESS) {
    throw PkiError("cannot generate a P-256 key: no entropy or no memory");
  }
  PrivateKey key;
  std::size_t scalar_bytes = 0;
  std::size_t point_bytes = 0;
  const bool exported =
      psa_export_key(id, key.scalar_.data(), key.scalar_.size(), &scalar_bytes) == PSA_SUCCESS &&
      psa_export_public_key(id, key.public_key_.data(), key.public_key_.size(), &point_bytes) ==
          PSA_SUCCESS;
  psa_destroy_key(id);
  if (!exported || scalar_bytes != kScalarBytes || point_bytes != kPointBytes) {
    throw PkiError("cannot export a new P-256 key");
  }
  return key;
}

PrivateKey PrivateKey::from_scalar(std::span<const std::uint8_t, kScalarBytes> scalar) {
  PrivateKey key;
  std::copy(scalar.begin(), scalar.end(), key.scalar_.begin());
  PkContext pk;
  to_pk(key, pk.get());
  key.public_key_ = public_key_of(*pk.get(), "not a P-256 private key");
  return key;
}

SecretBytes load_private_pem(const std::filesystem::path& path, const Passphrase* passphrase) {
  SecretBytes pem = read_secret_file(path, kMaxKeyFileBytes);
  if (!is_encrypted(pem.bytes())) return pem;
  if (passphrase == nullptr) {
    throw PkiError(path.string() +
                   " is encrypted, and no passphrase is configured: expected one in [keys] of "
                   "skepd.toml");
  }
  return decrypt_key(pem.bytes(), *passphrase, path);
}

PrivateKey PrivateKey::load(const std::filesystem::path& path, const Passphrase* passphrase) {
  start_crypto();
  const SecretBytes text = with_terminator(load_private_pem(path, passphrase));
  const std::string what = path.string() + " is not a P-256 private key in PEM";
  PkContext pk;
  check(mbedtls_pk_parse_key(pk.get(), text.bytes().data(), text.size(), nullptr, 0, random_source,
                             nullptr),
        what);
  PrivateKey key;
  key.public_key_ = public_key_of(*pk.get(), what);
  std::size_t length = 0;
  check(mbedtls_ecp_write_key_ext(mbedtls_pk_ec(*pk.get()), &length, key.scalar_.data(),
                                  key.scalar_.size()),
        what);
  if (length != kScalarBytes) throw PkiError(what);
  return key;
}

void PrivateKey::save(const std::filesystem::path& path) const {
  PkContext pk;
  to_pk(*this, pk.get());
  SecretBytes text(1024);
  check(mbedtls_pk_write_key_pem(pk.get(), text.data(), text.size()), "cannot write a key as PEM");
  const std::size_t length = std::strlen(reinterpret_cast<const char*>(text.data()));
  create_file(path, text.bytes().first(length), Access::kSecret);
}

void save_public_key(const std::filesystem::path& path, const PublicKey& key) {
  PkContext pk;
  to_pk(key, pk.get());
  std::array<std::uint8_t, 512> text{};
  check(mbedtls_pk_write_pubkey_pem(pk.get(), text.data(), text.size()),
        "cannot write a public key as PEM");
  const std::size_t length = std::strlen(reinterpret_cast<const char*>(text.data()));
  create_file(path, Bytes(text).first(length), Access::kPublic);
}

PublicKey load_public_key(const std::filesystem::path& path) {
  start_crypto();
  std::vector<std::uint8_t> text = read_file(path, kMaxKeyFileBytes);
  text.push_back(0);
  const std::string what = path.string() + " is not a P-256 public key in PEM";
  PkContext pk;
  check(mbedtls_pk_parse_public_key(pk.get(), text.data(), text.size()), what);
  return public_key_of(*pk.get(), what);
}

}  // namespace skep::pki
