// Forgetting a device: what is erased, and the little that stays so that it stays shut out.
#include <string>
#include <vector>

#include "atomic_section.h"
#include "connection.h"
#include "skep/pki/certificate.h"
#include "skep/seal/sha256.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

/// A certificate that the name has or had, and its key.
struct Key {
  std::vector<std::uint8_t> certificate_der;
  PublicKey public_key{};
  RevocationReason reason = RevocationReason::kUnspecified;
  std::int64_t revoked_unix_s = 0;
};

// A key may have several certificates: those that were renewed.
constexpr const char* kSelectKeys = R"sql(
WITH keys AS (
  SELECT certificate, public_key, reason, revoked_unix_s FROM revocations WHERE device = ?1
  UNION ALL SELECT certificate, public_key, ?2, ?3 FROM devices
    WHERE name = ?1 AND public_key NOT IN (SELECT public_key FROM revocations)
  UNION ALL SELECT next_certificate, next_public_key, ?2, ?3 FROM devices
    WHERE name = ?1 AND next_public_key IS NOT NULL)
SELECT * FROM keys
UNION ALL SELECT earlier_certificates.certificate, public_key, reason, revoked_unix_s
  FROM earlier_certificates JOIN keys USING (public_key)
)sql";

std::vector<Key> keys_of(Store::Connection& connection, std::string_view name,
                         std::int64_t now_unix_s) {
  std::vector<Key> keys;
  Query query = connection.query(
      kSelectKeys, name, static_cast<int>(RevocationReason::kCessationOfOperation), now_unix_s);
  while (query.step()) {
    keys.push_back({.certificate_der = query.blob(0),
                    .public_key = query.array<wire::kP256PointBytes>(1),
                    .reason = static_cast<RevocationReason>(query.integer(2)),
                    .revoked_unix_s = query.integer(3)});
  }
  return keys;
}

std::vector<std::uint8_t> serial_of(const Key& key, std::string_view name) {
  try {
    return pki::parse_certificate(key.certificate_der).serial;
  } catch (const pki::PkiError& error) {
    throw StoreError(Status::kMalformed,
                     "the certificate of device \"" + std::string(name) + "\": " + error.what());
  }
}

Digest hash_of(const PublicKey& key) {
  const auto digest = seal::sha256(key);
  if (!digest.ok()) throw StoreError(digest.status(), "hashing a key failed");
  return *digest;
}

}  // namespace

void Store::forget_device(std::string_view name, std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  if (!device(name)) {
    throw StoreError(Status::kNotFound, "no device \"" + std::string(name) + "\" is enrolled");
  }
  std::int64_t id = last_revocation();
  for (const Key& key : keys_of(*connection_, name, now_unix_s)) {
    connection_
        ->query("INSERT INTO forgotten_keys VALUES (?, ?, ?, ?, ?)", ++id, hash_of(key.public_key),
                serial_of(key, name), static_cast<int>(key.reason), key.revoked_unix_s)
        .run();
    connection_->query("DELETE FROM earlier_certificates WHERE public_key = ?", key.public_key)
        .run();
  }
  connection_->query("DELETE FROM enrolments WHERE device = ?", name).run();
  connection_->query("DELETE FROM enrolment_tokens WHERE device = ?", name).run();
  connection_->query("DELETE FROM updates WHERE device = ?", name).run();
  connection_->query("DELETE FROM refusals WHERE device = ?", name).run();
  connection_->query("DELETE FROM revocations WHERE device = ?", name).run();
  connection_->query("DELETE FROM devices WHERE name = ?", name).run();
  section.commit();
}

bool Store::is_forgotten(const PublicKey& key) {
  // Mostly nobody is, and then nothing is hashed for each update that comes in.
  if (connection_->integer("SELECT EXISTS (SELECT 1 FROM forgotten_keys)") == 0) return false;
  const Digest hash = hash_of(key);
  Query query = connection_->query("SELECT 1 FROM forgotten_keys WHERE key_sha256 = ?", hash);
  return query.step();
}

std::vector<ForgottenKey> Store::forgotten_keys() {
  std::vector<ForgottenKey> keys;
  Query query =
      connection_->query("SELECT serial, reason, revoked_unix_s FROM forgotten_keys ORDER BY id");
  while (query.step()) {
    keys.push_back({.serial = query.blob(0),
                    .reason = static_cast<RevocationReason>(query.integer(1)),
                    .revoked_unix_s = query.integer(2)});
  }
  return keys;
}

void Store::clear_leftovers() {
  // secure_delete zeroes what is deleted, but not the copies that a page keeps of rows that have
  // moved to another one.
  connection_->execute("VACUUM");
  if (!connection_->empty_wal()) {
    throw StoreError(Status::kBusy,
                     connection_->path().string() + "-wal is being read and cannot be emptied");
  }
}

}  // namespace skep::store
