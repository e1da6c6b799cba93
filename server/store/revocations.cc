// The table of revocations: who is shut out, since when, by whom and why.
#include <algorithm>

#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

Revocation read_revocation(const Query& row) {
  return {.device = row.text(0),
          .reason = static_cast<RevocationReason>(row.integer(1)),
          .note = row.text(2),
          .revoked_by = row.text(3),
          .revoked_unix_s = row.integer(4),
          .certificate_der = row.blob(5)};
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

void check(const Revocation& revocation) {
  if (revocation.note.size() > kMaxNoteBytes || std::ranges::any_of(revocation.note, is_control)) {
    throw StoreError(Status::kInvalidArgument,
                     "the note has " + std::to_string(revocation.note.size()) +
                         " bytes: expected at most " + std::to_string(kMaxNoteBytes) +
                         ", without control characters");
  }
  if (revocation.revoked_by.empty()) {
    throw StoreError(Status::kInvalidArgument, "it must be known who revokes a device");
  }
}

void insert(Store::Connection& connection, std::int64_t id, const Revocation& revocation,
            Bytes certificate_der, const PublicKey& key) {
  connection
      .query(
          "INSERT INTO revocations (id, device, certificate, public_key, reason, note, revoked_by, "
          "revoked_unix_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
          id, revocation.device, certificate_der, key, static_cast<int>(revocation.reason),
          revocation.note, revocation.revoked_by, revocation.revoked_unix_s)
      .run();
}

}  // namespace

void Store::use_next_certificate(const std::string& device, const std::string& by,
                                 std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  const auto known = this->device(device);
  if (!known || known->next_certificate_der.empty()) {
    throw StoreError(Status::kNotFound, "device \"" + device + "\" has no renewed certificate");
  }
  insert(*connection_, last_revocation() + 1,
         {.device = device,
          .reason = RevocationReason::kSuperseded,
          .revoked_by = by,
          .revoked_unix_s = now_unix_s},
         known->certificate_der, known->public_key);
  connection_
      ->query(
          "UPDATE devices SET certificate = next_certificate, public_key = next_public_key, "
          "next_certificate = NULL, next_public_key = NULL WHERE name = ?",
          device)
      .run();
  section.commit();
}

void Store::revoke_device(const Revocation& revocation) {
  check(revocation);
  AtomicSection section(*connection_);
  const auto device = this->device(revocation.device);
  if (!device) {
    throw StoreError(Status::kNotFound, "no device \"" + revocation.device + "\" is enrolled");
  }
  if (device->revoked) {
    throw StoreError(Status::kInvalidArgument,
                     "device \"" + revocation.device + "\" is revoked already");
  }
  // The key that the device has used last comes last: it is the one of its present certificate.
  if (!device->next_certificate_der.empty()) {
    insert(*connection_, last_revocation() + 1, revocation, device->next_certificate_der,
           device->next_public_key);
    connection_
        ->query("UPDATE devices SET next_certificate = NULL, next_public_key = NULL WHERE name = ?",
                device->name)
        .run();
  }
  insert(*connection_, last_revocation() + 1, revocation, device->certificate_der,
         device->public_key);
  connection_
      ->query(
          "UPDATE enrolment_tokens SET revoked_unix_s = ?, revoked_by = ? "
          "WHERE device = ? AND revoked_unix_s = 0",
          revocation.revoked_unix_s, revocation.revoked_by, device->name)
      .run();
  // The row stays: it says that the round was answered, and with which bytes.
  connection_
      ->query(
          "UPDATE updates SET left_out = 1, sealed = NULL WHERE device = ? "
          "AND round IN (SELECT id FROM rounds WHERE state IN (1, 2))",
          device->name)
      .run();
  section.commit();
}

bool Store::is_revoked(const PublicKey& key) {
  {
    Query query = connection_->query("SELECT 1 FROM revocations WHERE public_key = ?", key);
    if (query.step()) return true;
  }
  return is_forgotten(key);
}

std::vector<Revocation> Store::revocations() {
  std::vector<Revocation> revocations;
  Query query = connection_->query(
      "SELECT device, reason, note, revoked_by, revoked_unix_s, certificate FROM revocations "
      "ORDER BY id");
  while (query.step()) revocations.push_back(read_revocation(query));
  return revocations;
}

std::vector<Revocation> Store::revocations(std::string_view device) {
  std::vector<Revocation> revocations;
  Query query = connection_->query(
      "SELECT device, reason, note, revoked_by, revoked_unix_s, certificate FROM revocations "
      "WHERE device = ? ORDER BY id",
      device);
  while (query.step()) revocations.push_back(read_revocation(query));
  return revocations;
}

std::vector<Revocation> Store::revoked_certificates() {
  std::vector<Revocation> all = revocations();
  Query query = connection_->query(
      "SELECT device, reason, note, revoked_by, revoked_unix_s, earlier_certificates.certificate "
      "FROM earlier_certificates JOIN revocations USING (public_key) ORDER BY id");
  while (query.step()) all.push_back(read_revocation(query));
  return all;
}

std::int64_t Store::last_revocation() {
  return connection_->integer(
      "SELECT max((SELECT coalesce(max(id), 0) FROM revocations), "
      "(SELECT coalesce(max(id), 0) FROM forgotten_keys))");
}

std::uint64_t Store::next_crl_number() {
  AtomicSection section(*connection_);
  std::uint64_t number = 0;
  {
    Query query =
        connection_->query("UPDATE revocation_list SET number = number + 1 RETURNING number");
    if (!query.step()) throw StoreError(Status::kMalformed, "database: no revocation list");
    number = query.u64(0);
    query.run();
  }
  section.commit();
  return number;
}

}  // namespace skep::store
